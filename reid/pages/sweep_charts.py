"""Charts of a sweep's page: the jobs' curves over each other, and their scores over what was varied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, log10
from statistics import fmean

from reid.pages.charts import Chart, Line
from reid.plots.curves import DECIDING, SCORES, points_of

COLOURED = 5  # jobs, or values of the other numbers, that have a colour of their own
DECADES = 1.2  # over which numbers lie on a logarithmic axis
NUMBERS = 2  # of the jobs' choices that a chart each is drawn of


@dataclass(frozen=True)
class ShownJob:
    """What one finished job was asked for and reached."""

    number: str
    choices: Mapping[str, str]  # what jobs differ in
    objective: float  # mAP or PCK, a fraction
    epochs: Sequence[Mapping[str, float]] = field(default=())  # rows of its metrics.csv

    @property
    def name(self) -> str:
        return f"{self.number}: {' '.join(f'{key}={value}' for key, value in self.choices.items())}"


def sweep_charts(jobs: Sequence[ShownJob], *, repeats: Sequence[str] = ()) -> list[Chart]:
    """The score and the loss of each job over the epochs, and the objective over one or two numbers.

    Args:
        jobs: the best first; the first five have a colour.
        repeats: choices that make no experiment, as ``seed``.
    """
    score = next((name for name in DECIDING if any(name in row for job in jobs for row in job.epochs)), None)
    shown = {"train/loss": Chart("Training loss", [])}
    if score is not None:
        shown = {score: Chart(SCORES[score][0], [], unit="%"), **shown}
    charts = []
    for name, chart in shown.items():
        lines = [line for place, job in enumerate(jobs) if (line := curve(job, name, place)).points]
        if lines:
            charts.append(Chart(chart.title, lines, unit=chart.unit))
    named = "Objective" if score is None else SCORES[score][0]
    kept = [key for key in choices_of(jobs) if key not in repeats]
    numbers = [key for key in kept if is_number(jobs, key)]
    if len(numbers) <= NUMBERS:
        charts += [over_number(jobs, key, [k for k in kept if k != key], title=named) for key in numbers]
    return charts


def choices_of(jobs: Sequence[ShownJob]) -> list[str]:
    return list(dict.fromkeys(key for job in jobs for key in job.choices))


def curve(job: ShownJob, name: str, place: int) -> Line:
    """A figure of metrics.csv over epochs, from 1."""
    x, y = points_of(job.epochs, name)
    scale = 100 if name.startswith("val/") else 1
    return Line(job.name, x.tolist(), (scale * y).tolist(), value="", key=job.number, plain=place >= COLOURED)


def is_number(jobs: Sequence[ShownJob], key: str) -> bool:
    """Whether all jobs give the choice a number, and not all the same."""
    try:
        values = {float(job.choices[key]) for job in jobs}
    except (KeyError, ValueError):
        return False
    return len(values) > 1 and all(isfinite(value) for value in values)


def over_number(jobs: Sequence[ShownJob], key: str, others: Sequence[str], *, title: str) -> Chart:
    """A dot a job; jobs that share all else are joined at their means, where that makes lines at all."""
    alike: dict[str, list[ShownJob]] = {}
    for job in jobs:
        alike.setdefault(" ".join(f"{k}={job.choices.get(k, '')}" for k in others), []).append(job)
    values = sorted({float(job.choices[key]) for job in jobs})
    joined = len(alike) <= COLOURED and any(
        len({float(job.choices[key]) for job in own}) > 1 for own in alike.values()
    )
    if not joined:
        alike = {"": list(jobs)}
    lines = []
    for name, own in alike.items():
        dots = [(float(job.choices[key]), 100 * job.objective, job.number) for job in own]
        x = sorted({value for value, _, _ in dots})
        means = [fmean(y for value, y, _ in dots if value == each) for each in x]
        lines.append(Line(name, x, means, dots=dots, joined=joined, value=""))
    wide = values[0] > 0 and log10(values[-1] / values[0]) > DECADES
    note = "a dot a job" + (", lines at the means" if joined else "")
    return Chart(f"{title} over {key}", lines, axis=key, unit="%", log_x=wide, from_zero=False, note=note)
