"""All processes of a training end when one does: nobody waits half an hour for a rank that was killed."""

import atexit
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytorch_lightning as pl
import torch.distributed

EVERY = 0.3  # seconds between two looks; Lightning's own observer looks every 5, and says nothing
BROKEN = ("closed by peer", "reset by peer", "broken pipe", "gloo", "hccl", "nccl")

log = logging.getLogger(__name__)


def is_lost_peer(error: BaseException) -> bool:
    """Whether an error is about a process that is not there any more, or never came."""
    if not isinstance(error, RuntimeError):
        return False
    words = str(error).lower()
    return isinstance(error, torch.distributed.DistError) or any(word in words for word in BROKEN)


class EndTogether(pl.Callback):
    """On the process that started others: ends them when it fails, and itself when one of them does."""

    def __init__(self) -> None:
        self._launcher: Any = None

    @property
    def children(self) -> list[subprocess.Popen[bytes]]:
        """The processes that this one started; local rank 1 comes first."""
        started: list[subprocess.Popen[bytes]] = getattr(self._launcher, "procs", [])
        return started

    def watch(self, trainer: pl.Trainer) -> None:
        """Begin before there are any; nothing to do where somebody else starts all processes."""
        if hasattr(trainer.strategy.launcher, "procs"):
            self._launcher = trainer.strategy.launcher
            atexit.register(self.end)
            threading.Thread(target=self._look, name="end-together", daemon=True).start()

    def end(self) -> None:
        """Kill those that are left: they may be waiting for this one in a collective."""
        left = list(self.children)
        # Before they are killed: our own look, and Lightning's observer, would take that for a failure
        self.children.clear()
        for child in left:
            child.kill()
            child.wait()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        if self.children and is_lost_peer(exception):
            time.sleep(10 * EVERY)  # the thread sees which, says so and ends this process
        self.end()

    def _look(self) -> None:
        while True:
            time.sleep(EVERY)
            for rank, child in enumerate(list(self.children), start=1):
                # one that was interrupted as this process was leaves the end to the loop
                if child.poll() not in (None, 0, 130, -signal.SIGINT) and child in self.children:
                    self._end_after(rank, child.returncode)

    def _end_after(self, rank: int, status: int) -> None:
        if status < 0:
            name = signal.Signals(-status).name
            hint = ", as the system does when memory runs out" if -status == signal.SIGKILL else ""
            log.error(f"Error: the process of local rank {rank} was ended by {name}{hint}; ending the others")
        elif status != 1:  # with 1 it has said why
            log.error(f"Error: the process of local rank {rank} ended with status {status}")
        for child in list(self.children):
            child.kill()
        logging.shutdown()
        sys.stdout.flush()
        os._exit(1)
