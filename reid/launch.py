"""How processes come about: who started this one, whose files it may leave, and a sweep's job in isolation.

Lightning starts the ranks of a DDP job by repeating the command line. Under ``-m`` each child would run the
whole sweep, and later jobs would find the process group of the first. So each such job gets a process of its
own, whose command line is that job's alone.
"""

import atexit
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Literal

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from reid.rank_table import RankTable

SWEEPING = ("hydra.mode", "hydra.sweep", "hydra/sweep", "hydra.launcher", "hydra/launcher", "hydra.run")
CHILD = "hydra.job.name=train_ddp_process_"  # what Lightning appends for the ranks that it starts
PATIENCE = 3.0  # seconds that other ranks leave the first one to say what went wrong with all of them

log = logging.getLogger(__name__)


def started_by() -> Literal["torchrun", "slurm"] | None:
    """Who started all processes; None: nobody but the user, once a machine, and Lightning starts the rest."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun"
    if "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return "slurm"
    return None


def is_child() -> bool:
    """Whether Lightning started this process, on behalf of the first one of this machine."""
    return any(word.startswith(CHILD) for word in sys.argv)


def is_first() -> bool:
    """Whether this is rank 0, by the environment: nothing is joined yet when a run folder is made."""
    name = {"torchrun": "RANK", "slurm": "SLURM_PROCID", None: "NODE_RANK"}[started_by()]
    return not is_child() and os.environ.get(name, "0") == "0"


def prepare() -> None:
    """Before Hydra begins: other ranks than the first leave no folders and no logs, and none stays behind.

    What they write lies in a temporary folder that goes with them. The ranks that Lightning starts have their
    log in the folder of the rank that is first on their machine.
    """
    place_in_table(sys.argv[1:])
    if is_child() or started_by() == "torchrun":
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if is_child():
        sys.argv.append("hydra.job_logging.root.level=WARNING")
    elif not is_first():
        folder = tempfile.mkdtemp(prefix="reid-rank-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        sys.argv += [
            f"hydra.run.dir={folder}",
            f"hydra.sweep.dir={folder}",
            "hydra.output_subdir=null",
            "~hydra.job_logging.handlers.file",
            "hydra.job_logging.root.handlers=[console]",
            "hydra.job_logging.root.level=WARNING",
        ]


def place_in_table(words: list[str]) -> None:
    """Set NODE_RANK from the rank table that the command line names, if it names a good one."""
    path = dict(word.partition("=")[::2] for word in words).get("trainer.rank_table", "null")
    if path == "null" or started_by() is not None or "NODE_RANK" in os.environ:
        return
    try:
        os.environ["NODE_RANK"] = str(RankTable.read(Path(path.strip("'\""))).here())
    except (ValueError, OSError):
        return  # the task reads it again, and says what is wrong


def _end_with(parent: int) -> None:
    """End this process with the one that started it: a killed one leaves its children waiting for it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    log.error(f"Error: process {parent}, which started this one, is gone; ending")
    logging.shutdown()
    os._exit(1)


def leave_the_word() -> None:
    """Wait before saying what the first rank may be about to say as well, and then ends this process."""
    if not is_first():
        time.sleep(PATIENCE)


def needs_isolation(config: DictConfig) -> bool:
    """Whether this is a sweep's job that starts processes itself (not torchrun or SLURM)."""
    trainer = config.trainer
    alone = str(trainer.devices) == "1" and trainer.num_nodes == 1 and "ddp" not in str(trainer.strategy)
    return HydraConfig.get().mode == RunMode.MULTIRUN and started_by() is None and not alone


def run_alone() -> float | None:
    """Run the current job in a process of its own.

    Returns:
        Its mAP, from the metrics.json it leaves; None if it leaves none, as task=check does.

    Raises:
        ValueError: the job failed; its own output says why.
    """
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    kept = [word for word in hydra.overrides.hydra if not word.lstrip("+~").startswith(SWEEPING)]
    command = [
        sys.executable,
        os.path.abspath(sys.argv[0]),
        *hydra.overrides.task,
        *kept,
        "hydra.mode=RUN",
        f"hydra.run.dir='{folder}'",
    ]
    done = subprocess.run(command, cwd=hydra.runtime.cwd)
    if done.returncode:
        raise ValueError(
            f"job {hydra.job.num} ({' '.join(hydra.overrides.task)}) ended with status {done.returncode}"
        )
    figures = folder / "metrics.json"
    return float(json.loads(figures.read_text())["mAP"]) if figures.is_file() else None
