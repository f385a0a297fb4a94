"""The tasks that a sentence can name, and how a run ends: the only readers of the configuration."""

import logging
import os
import sys
import time

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from hydra.utils import get_method
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from reid.callbacks import is_lost_peer
from reid.launch import PATIENCE, leave_the_word, needs_isolation, run_alone

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
    """Run the task that the configuration names and return its objective.

    A user's mistake ends the program with one line and status 1, Ctrl-C with status 130; HYDRA_FULL_ERROR=1
    shows the traceback instead.
    """
    try:
        if needs_isolation(config):
            return run_alone()
        objective: float | None = get_method(config.task.run)(config)
    except (KeyboardInterrupt, SystemExit) as leaving:
        # Lightning turns Ctrl-C into status 1
        if isinstance(leaving, SystemExit) and not isinstance(leaving.__context__, KeyboardInterrupt):
            raise
        log.warning("Interrupted.")
        sys.exit(130)
    except MISTAKES as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or HydraConfig.get().mode == RunMode.MULTIRUN:
            raise
        leave_the_word()
        log.error(f"Error: {one_line(error)}")
        sys.exit(1)
    except RuntimeError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or not is_lost_peer(error):
            raise
        time.sleep(PATIENCE)  # whoever started the processes may be about to end this one
        log.error(f"Error: another process of this training has ended or never came ({one_line(error)})")
        sys.exit(1)
    return objective


def one_line(error: BaseException) -> str:
    """What went wrong, without the layers that merely passed it on."""
    while isinstance(error, HydraException) and error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
