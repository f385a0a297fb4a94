"""One job of a sweep in a process of its own: it may fail, be killed or interrupted, and the others go on.

Lightning starts the ranks of a DDP job by repeating the command line. Under ``-m`` each child would run the
whole sweep, and later jobs would find the process group of the first. A process of its own has the command
line of its job alone, whatever launcher called for it: Hydra's own, joblib's, submitit's or Ray's.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from reid.launch import JOB_OF, PROGRAM, started_by
from reid.status import Status
from reid.sweep import show

SWEEPING = (
    "hydra.mode",
    "hydra.sweep",
    "hydra/sweep",
    "hydra.launcher",
    "hydra/launcher",
    "hydra.run",
    "hydra.callbacks",
    "sweep=",
    "sweep.",
)
OWN = (
    "WANDB_RUN_ID",
    "WANDB_RESUME",
    "WANDB_NAME",
    "WANDB_NOTES",
)  # environment of one run; jobs would share it

log = logging.getLogger(__name__)


def is_swept() -> bool:
    """Whether this is a sweep's job."""
    return HydraConfig.get().mode == RunMode.MULTIRUN


def needs_isolation() -> bool:
    """Whether this is a sweep's job whose processes are ours to start (not torchrun's or SLURM's)."""
    return is_swept() and started_by() is None


def run_isolated(config: DictConfig) -> float | None:
    """Run the current job in a process of its own, unless an earlier start of the sweep finished it.

    Returns:
        Its objective; NaN if it failed, None if its task has none.

    Raises:
        ValueError: it failed, and a search called, to which NaN would be an answer.
        SystemExit: 130 after Ctrl-C, which the job has had too.
    """
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    overrides = without(hydra.overrides.task, SWEEPING)
    before = begun(folder, overrides)
    if before is not None and before.state == "finished":
        return before.objective
    last = folder / "checkpoints" / "last.ckpt"
    resume = [f"resume='{last}'"] if before is not None and last.is_file() else []
    status = Status.begin(overrides, before=before)
    status.write(folder)
    command = [
        sys.executable,
        os.environ[PROGRAM],
        *overrides,
        *resume,
        *without(hydra.overrides.hydra, SWEEPING),
        "hydra.mode=RUN",
        f"hydra.run.dir='{folder}'",
    ]
    environment = {name: value for name, value in os.environ.items() if name not in OWN}
    if config.trainer.num_nodes == 1:
        environment.pop("MASTER_PORT", None)  # each job finds a free one
    environment.setdefault("WANDB_RUN_GROUP", folder.parent.name)
    environment |= {"WANDB_NAME": folder.name, "WANDB_NOTES": " ".join(overrides)}
    code = watch(command, environment, console=None if is_in_order() else folder / "console.log")
    done = Status.read(folder) or status
    if code in (130, -signal.SIGINT):  # the latter before the job itself listens for Ctrl-C
        done.ended("interrupted").write(folder)
        show(folder.parent)
        log.warning(f"Interrupted; go on with the same command and sweep.resume={folder.parent}")
        sys.exit(130)
    if code and done.state == "running":
        error = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        done = done.ended("failed", error=error)
        done.write(folder)
    if done.state == "failed":
        log.error(f"job {hydra.job.num} failed: {done.error}")
        return failed(done.error)
    return done.objective


def run_in_place(config: DictConfig, run: Callable[[DictConfig], float | None]) -> float | None:
    """Run the current job in processes that torchrun or SLURM started, unless it is finished.

    Returns:
        As `run_isolated`, from submitit, whose processes are one job's alone.

    Raises:
        SystemExit: it failed, under torchrun, whose processes are those of all jobs: others may wait for this
            one.
        ValueError: it failed, and a search called.
    """
    hydra = HydraConfig.get()
    folder = Path(config.sweep.resume or hydra.sweep.dir, hydra.sweep.subdir)  # the first rank's
    before = begun(folder, without(hydra.overrides.task, SWEEPING))
    if before is not None and before.state == "finished":
        return before.objective
    last = folder / "checkpoints" / "last.ckpt"
    if before is not None and last.is_file():
        config.resume = str(last)
    try:
        return run(config)
    except SystemExit as leaving:
        if leaving.code != 1 or "SUBMITIT_EXECUTOR" not in os.environ:
            raise
        done = Status.read(folder)
        return failed(done.error if done else None)


def begun(folder: Path, overrides: list[str]) -> Status | None:
    """What an earlier start of the sweep left of the current job, which must have been the same."""
    number, before = HydraConfig.get().job.num, Status.read(folder)
    if before is not None:
        before = replace(before, overrides=without(before.overrides, SWEEPING))
        check_same(before, overrides, number=number)
        if before.state == "finished":
            log.info(f"job {number} is finished already")
    return before


def failed(error: str | None) -> float:
    """What a failed job answers: NaN, which a grid takes.

    Raises:
        ValueError: a search called, to which NaN would be an answer.
    """
    if "basic_sweeper" not in HydraConfig.get().sweeper._target_:
        raise ValueError(error)
    return float("nan")


def without(words: list[str], beginnings: tuple[str, ...]) -> list[str]:
    """The words that do not begin so."""
    return [word for word in words if not word.lstrip("+~").startswith(beginnings)]


def check_same(before: Status | None, overrides: list[str], *, number: int) -> None:
    """Refuse to go on with a sweep by another command.

    Raises:
        SystemExit: 1, after a line that shows both.
    """
    if before is None or before.overrides == overrides:
        return
    was, now = (
        " ".join(word for word in these if word not in those) or "less"
        for these, those in ((before.overrides, overrides), (overrides, before.overrides))
    )
    log.error(
        f"Error: sweep.resume: job {number} was begun with {was} and is now to be with {now}: repeat the"
        " command of the sweep word by word, or begin a new one"
    )
    sys.exit(1)


def is_in_order() -> bool:
    """Whether jobs run one after the other, so that the terminal can show what each says."""
    return "basic_launcher" in HydraConfig.get().launcher._target_


def watch(command: list[str], environment: dict[str, str], *, console: Path | None) -> int:
    """Run a command as a session of its own, pass Ctrl-C on, and leave none of its processes behind.

    Args:
        console: where it shall write instead of on the terminal.

    Returns:
        Its exit status; minus the number of the signal that killed it.
    """
    with contextlib.ExitStack() as stack:
        output = None if console is None else stack.enter_context(console.open("a"))
        process = subprocess.Popen(
            command,
            cwd=HydraConfig.get().runtime.cwd,
            env={**environment, JOB_OF: str(os.getpid())},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:  # the job saves its last checkpoint; asked again, it stops at once
                    os.killpg(process.pid, signal.SIGINT)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
