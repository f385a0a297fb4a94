"""What a sweep found: a table of its jobs and, where they repeat one experiment, their average."""

import csv
import json
import re
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

REPEATS = ("seed", "data.split")  # of these the average is an experiment's result

Job = dict[str, Any]  # "overrides": key -> value, and the figures of its metrics.json


class SweepTable(Callback):
    """Hydra's hook at the end of ``-m``: reads what the jobs left, by whatever launcher they ran.

    Leaves ``results.csv`` in the sweep's folder and, if jobs differ in ``seed`` or ``data.split`` alone,
    ``metrics.json``: each figure's mean, and its standard deviation over the jobs under ``deviation``.
    """

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        jobs = read_jobs(folder)
        varied = [key for key in keys_of(jobs) if len({job["overrides"].get(key) for job in jobs}) > 1]
        if len(jobs) < 2 or not varied:
            return
        figures = [key for key in jobs[0] if isinstance(jobs[0][key], int | float)]
        with (folder / "results.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*varied, *figures])
            for job in jobs:
                given = [job["overrides"].get(key, "") for key in varied]
                writer.writerow([*given, *(job.get(key, "") for key in figures)])
        rows = {" ".join(f"{key}={job['overrides'].get(key)}" for key in varied): job for job in jobs}
        if all(key in REPEATS for key in varied):
            mean, deviation = average(jobs, figures)
            content = json.dumps({**mean, "jobs": len(jobs), "deviation": deviation}, indent=2)
            (folder / "metrics.json").write_text(content + "\n")
            rows |= {f"mean of {len(jobs)}": mean, "standard deviation": deviation}
        from reid.tasks.report import table  # here, so that `--help` does not wait for torch

        sys.stdout.write(f"\n{table(rows)}\nresults in {folder}\n")


def read_jobs(folder: Path) -> list[Job]:
    """What each job of a sweep was asked for and found, in the order of numbers in their folders' names."""
    jobs = []
    for metrics in sorted(folder.glob("*/metrics.json"), key=lambda path: in_words(path.parent.name)):
        words: Any = OmegaConf.to_container(OmegaConf.load(metrics.parent / ".hydra" / "overrides.yaml"))
        overrides = dict(word.lstrip("+~").split("=", 1) for word in words if "=" in word)
        jobs.append({"overrides": overrides, **json.loads(metrics.read_text())})
    return jobs


def in_words(name: str) -> list[tuple[int, str]]:
    """A key that sorts ``10_osnet`` behind ``9_osnet``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def keys_of(jobs: list[Job]) -> list[str]:
    return list(dict.fromkeys(key for job in jobs for key in job["overrides"]))


def average(jobs: list[Job], figures: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and sample standard deviation of the figures that all jobs have."""
    values = {key: [job[key] for job in jobs] for key in figures if all(key in job for job in jobs)}
    return {key: fmean(v) for key, v in values.items()}, {key: stdev(v) for key, v in values.items()}
