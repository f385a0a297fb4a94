"""One sweep job in isolation, so that its child processes repeat the job and not the sweep.

Lightning starts the ranks of a DDP job by repeating the command line. Under ``-m`` each child would run the
whole sweep, and later jobs would find the process group of the first. So each such job gets a process of its
own, whose command line is that job's alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

SWEEPING = ("hydra.mode", "hydra.sweep", "hydra/sweep", "hydra.launcher", "hydra/launcher", "hydra.run")


def needs_isolation(config: DictConfig) -> bool:
    """Whether this is a sweep's job that starts processes itself (not torchrun or SLURM)."""
    started_outside = "LOCAL_RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", "1")) > 1
    in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    return in_sweep and not started_outside and "ddp" in str(config.trainer.strategy)


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
