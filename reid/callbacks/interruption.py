"""Ctrl-C ends a training at the next good moment, with a checkpoint from which it resumes exactly."""

import logging
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from reid.contracts import Batch

log = logging.getLogger(__name__)


class SaveOnInterrupt(pl.Callback):
    """The first Ctrl-C finishes the step or validation under way and writes ``last.ckpt``, a second stops.

    Args:
        folder: where ``last.ckpt`` lies.
    """

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / "last.ckpt"
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._asked = False
        try:
            self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._ask)
        except ValueError:  # not in the main thread: somebody else's notebook or server owns the signals
            self._before = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        log.warning("Interrupted: finishing this step and its checkpoint (Ctrl-C again stops at once)")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if not trainer.is_last_batch and self._someone_asked(trainer):
            trainer.save_checkpoint(self.path)
            raise KeyboardInterrupt

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # asked during the last step or validation of the epoch before, whose own checkpoint is written by now
        if trainer.current_epoch and self._someone_asked(trainer):
            raise KeyboardInterrupt

    def _someone_asked(self, trainer: pl.Trainer) -> bool:
        if trainer.world_size == 1:
            return self._asked
        return trainer.strategy.reduce_boolean_decision(self._asked, all=False)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._restore()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
