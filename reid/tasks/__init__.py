"""The tasks that a sentence can name, and how a run ends: the only readers of the configuration."""

import logging
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.utils import get_method
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from reid.callbacks import is_lost_peer
from reid.launch import PATIENCE, is_first, is_job, leave_the_word
from reid.status import Status
from reid.tasks.cloud import bring_in, copying_out, sending

log = logging.getLogger(__name__)

MISTAKES = (
    ValueError,
    OSError,
    MemoryError,
    MisconfigurationException,
    HydraException,
    OmegaConfBaseException,
)


def run(config: DictConfig) -> float | None:
    """Run the task that the configuration names and return its objective; status.json says how it ended.

    A user's mistake ends the program with one line and status 1, Ctrl-C with status 130; HYDRA_FULL_ERROR=1
    shows the traceback instead.
    """
    folder, overrides = Path(config.paths.output), list(HydraConfig.get().overrides.task)
    status = (Status.read(folder) if is_job() else None) or Status.begin(overrides)
    record(status, folder)
    with ExitStack() as stack:  # the last copy has the status, too
        try:
            bring_in(config)
            stack.enter_context(copying_out(config))
            with sending(config):
                objective: float | None = get_method(config.task.run)(config)
        except (KeyboardInterrupt, SystemExit) as leaving:
            # Lightning turns Ctrl-C into status 1
            if isinstance(leaving, SystemExit) and not isinstance(leaving.__context__, KeyboardInterrupt):
                raise
            record(status.ended("interrupted"), folder)
            log.warning("Interrupted.")
            sys.exit(130)
        except Exception as error:
            record(status.ended("failed", error=one_line(error)), folder)
            mark_loggers_failed()
            end_failed(error)
        record(status.ended("finished", objective=objective), folder)
    return objective


def record(status: Status, folder: Path) -> None:
    """Leave a run's status, if its folder is this process's."""
    if is_first():
        status.write(folder)


def mark_loggers_failed() -> None:
    """End the run that wandb has open, as a failed one."""
    if "wandb" in sys.modules:
        wandb = sys.modules["wandb"]
        if wandb.run is not None:
            wandb.finish(exit_code=1)


def end_failed(error: Exception) -> NoReturn:
    """End the program: one line for a mistake, and a traceback, in the log too, for anything else."""
    lost = isinstance(error, RuntimeError) and is_lost_peer(error)
    if os.environ.get("HYDRA_FULL_ERROR") == "1" or not (lost or isinstance(error, MISTAKES)):
        log.error(f"Error: {one_line(error)}", exc_info=error)
    elif lost:
        time.sleep(PATIENCE)  # whoever started the processes may be about to end this one
        log.error(f"Error: another process of this training has ended or never came ({one_line(error)})")
    else:
        leave_the_word()
        log.error(f"Error: {one_line(error)}")
    sys.exit(1)


def one_line(error: BaseException) -> str:
    """What went wrong, without the layers that merely passed it on."""
    while isinstance(error, HydraException) and error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
