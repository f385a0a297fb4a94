"""What a sweep found: a table of its jobs and, where they repeat one experiment, their average."""

import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from statistics import fmean, stdev
from textwrap import shorten
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from reid.status import Status
from reid.whole import whole

REPEATS = ("seed", "data.split")  # of these the average is an experiment's result
SHOWN = {"mAP": "mAP", "rank1": "rank-1", "pck": "PCK"}  # figures in per cent, and accuracies of attributes
ACCURACY = "_accuracy"

Job = dict[str, Any]  # "job": number, "folder", "overrides": key -> value, "status" ..., and figures
Scored = tuple[Job, list[dict[str, float]]]  # a job that reached something, and rows of its metrics.csv


class SweepTable(Callback):
    """Hydra's hook at the end of ``-m``: reads what the jobs left, by whatever launcher they ran.

    Leaves ``results.csv``, ``results.png`` and ``report.html`` in the sweep's folder, the best job first. If
    jobs differ in ``seed`` or ``data.split`` alone, ``metrics.json`` has each figure's mean, and its standard
    deviation over the jobs under ``deviation``. Ends the program with status 1 if a job failed.
    """

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        if failed := [job for job in show(folder) if job["status"] != "finished"]:
            sys.stderr.write(f"{len(failed)} of the jobs failed; sweep.resume={folder} tries them again\n")
            sys.exit(1)


def show(folder: Path) -> list[Job]:
    """Write the files of `SweepTable` of what has run so far, show the table, and return the jobs."""
    from reid.pages import sweep_charts, write_sweep_report  # here: a job does not wait for matplotlib

    jobs = read_jobs(folder)
    varied = [key for key in keys_of(jobs) if len({job["overrides"].get(key) for job in jobs}) > 1]
    if len(jobs) < 2 or not varied:
        return jobs
    write_results(jobs, varied, folder / "results.csv")
    lines = [row(job, varied) for job in jobs]
    scored = [(job, read_epochs(folder / job["folder"] / "metrics.csv")) for job in jobs if is_scored(job)]
    draw(scored, varied, folder)
    repeats = [word for key, word in in_short(varied).items() if key in REPEATS]
    charts = sweep_charts(shown_jobs(scored, varied), repeats=repeats)
    write_sweep_report(lines, folder, charts=charts)
    finished = [job for job in jobs if job["status"] == "finished"]
    if len(finished) > 1 and all(key in REPEATS for key in varied):
        mean, deviation = average(finished)
        content = {**mean, "jobs": len(finished), "deviation": deviation}
        (folder / "metrics.json").write_text(json.dumps(content, indent=2) + "\n")
        for name, figures in ((f"mean of {len(finished)}", mean), ("deviation", deviation)):
            lines.append({"status": name, **percentages(figures)})
    sys.stdout.write(f"\n{aligned(lines)}\nresults in {folder}\n")
    return jobs


def read_jobs(folder: Path) -> list[Job]:
    """What each job of a sweep was asked for and found, the best first; equals in the order of numbers."""
    jobs = []
    for path in sorted(folder.glob("*/status.json"), key=lambda path: in_words(path.parent.name)):
        status = Status.read(path.parent)
        assert status is not None
        metrics = path.with_name("metrics.json")
        figures = json.loads(metrics.read_text()) if status.state == "finished" and metrics.is_file() else {}
        known = {
            "job": path.parent.name.partition("_")[0],
            "folder": path.parent.name,
            "overrides": dict(word.lstrip("+~").split("=", 1) for word in status.overrides if "=" in word),
            "status": status.state,
            "error": status.error or "",
            "objective": status.objective,
            "minutes": round(status.seconds / 60, 2),
        }
        jobs.append(figures | known)
    return sorted(jobs, key=lambda job: -1.0 if job["objective"] is None else job["objective"], reverse=True)


def draw(scored: Sequence[Scored], varied: Sequence[str], folder: Path) -> None:
    """results.png."""
    from reid.plots.sweep import SweptJob, plot_sweep

    kept = [key for key in varied if key not in REPEATS] or varied
    words = in_short(kept)
    swept = [
        SweptJob(
            name=" ".join(f"{words[key]}={job['overrides'].get(key, '')}" for key in kept),
            objective=job["objective"],
            epochs=epochs,
        )
        for job, epochs in scored
    ]
    if swept:
        plot_sweep(swept, folder / "results.png")


def shown_jobs(scored: Sequence[Scored], varied: Sequence[str]) -> list[Any]:
    """The same jobs as the page shows them."""
    from reid.pages import ShownJob

    words = in_short(varied)
    return [
        ShownJob(
            number=job["job"],
            choices={words[key]: job["overrides"].get(key, "") for key in varied},
            objective=job["objective"],
            epochs=epochs,
        )
        for job, epochs in scored
    ]


def is_scored(job: Job) -> bool:
    return job["status"] == "finished" and job["objective"] is not None and isfinite(job["objective"])


def in_short(keys: Sequence[str]) -> dict[str, str]:
    """Each key's last word, where no other key has it.

    >>> in_short(["optimizer.lr", "schedule.epochs", "trainer.epochs"])
    {'optimizer.lr': 'lr', 'schedule.epochs': 'schedule.epochs', 'trainer.epochs': 'trainer.epochs'}
    """
    last = {key: key.rpartition(".")[2] for key in keys}
    return {key: word if list(last.values()).count(word) == 1 else key for key, word in last.items()}


def read_epochs(path: Path) -> list[dict[str, float]]:
    """The rows of a metrics.csv; none where there is no such file, as of an evaluation."""
    if not path.is_file():
        return []
    with path.open() as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def write_results(jobs: Sequence[Job], varied: Sequence[str], path: Path) -> None:
    """A row a job: what it alone was asked for, how it ended, and each of its figures."""
    known = ("job", "status", "objective", "minutes", "error")
    figures = [key for key in keys_of(jobs, None) if key not in known and is_number(jobs, key)]
    with whole(path) as draft, draft.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["job", *varied, *known[1:], *figures])
        for job in jobs:
            given = [job["overrides"].get(key, "") for key in varied]
            writer.writerow([job["job"], *given, *(job.get(key, "") for key in (*known[1:], *figures))])


def is_number(jobs: Sequence[Job], key: str) -> bool:
    return all(isinstance(job[key], int | float) for job in jobs if key in job)


def row(job: Job, varied: Sequence[str]) -> dict[str, str]:
    """A job's line of the table."""
    line = {"job": job["job"], **{key: job["overrides"].get(key, "") for key in varied}}
    line["status"] = job["status"]
    if "epoch" in job:
        line["epoch"] = str(job["epoch"])
    line |= percentages(job)
    if "train_images_per_second" in job:
        line["images/s"] = f"{job['train_images_per_second']:.0f}"
    line["minutes"] = f"{job['minutes']:.1f}"
    return line | ({"error": job["error"]} if job["error"] else {})


def percentages(figures: Mapping[str, Any]) -> dict[str, str]:
    names = SHOWN | {key: key.replace(ACCURACY, " acc") for key in figures if key.endswith(ACCURACY)}
    return {name: f"{100 * figures[key]:.1f}" for key, name in names.items() if key in figures}


def aligned(lines: Sequence[Mapping[str, str]]) -> str:
    """A table of words; what a line does not know stays empty.

    >>> print(aligned([{"job": "1", "lr": "1e-3", "mAP": "60.1"}, {"job": "10", "lr": "0.01"}]))
    job    lr   mAP
      1  1e-3  60.1
     10  0.01
    """
    heads = list(dict.fromkeys(key for line in lines for key in line))
    heads.sort(key=lambda head: head == "error")  # the last, as it is long
    rows = [{head: shorten(line.get(head, ""), 80) for head in heads} for line in lines]
    rows = [{head: head for head in heads}, *rows]
    widths = {head: max(len(row[head]) for row in rows) for head in heads} | {"error": 0}
    return "\n".join("  ".join(row[head].rjust(widths[head]) for head in heads).rstrip() for row in rows)


def in_words(name: str) -> list[tuple[int, str]]:
    """A key that sorts ``10_osnet`` behind ``9_osnet``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def keys_of(jobs: Sequence[Job], part: str | None = "overrides") -> list[str]:
    """The keys of all jobs' overrides, or of the jobs themselves, in the order of their appearance."""
    return list(dict.fromkeys(key for job in jobs for key in (job if part is None else job[part])))


def average(jobs: Sequence[Job]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and sample standard deviation of the figures that all jobs have."""
    figures = [key for key in jobs[0] if all(isinstance(job.get(key), int | float) for job in jobs)]
    values = {key: [job[key] for job in jobs] for key in figures}
    return {key: fmean(v) for key, v in values.items()}, {key: stdev(v) for key, v in values.items()}
