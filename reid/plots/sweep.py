"""What the jobs of a sweep reached, and on what way: a colour an experiment, its repeats among it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from textwrap import shorten

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reid.plots.curves import DECIDING, SCORES, points_of
from reid.plots.style import AMBER, BLUE, GREEN, ROSE, SOFT, STYLE, TEAL, VIOLET, write_png

COLOURS = (BLUE, AMBER, TEAL, VIOLET, ROSE, GREEN)
PLAIN = "#B4BBC4"  # experiments behind the best six
LETTERS = 48  # of an experiment's name


@dataclass(frozen=True)
class SweptJob:
    """What one finished job was asked for and reached."""

    name: str  # of its experiment, which repeats of it share
    objective: float  # mAP or PCK, a fraction
    epochs: Sequence[Mapping[str, float]] = field(default=())  # rows of its metrics.csv


@rc_context(STYLE)
def plot_sweep(jobs: Sequence[SweptJob], path: Path, *, title: str = "") -> Path:
    """The score over the epochs above; below a row an experiment, a dot a job and a line at their mean.

    Experiments stand in the order of their means, the best first; the best six have a colour. Without epochs
    the upper panel is left out.

    Raises:
        ValueError: without jobs.
    """
    if not jobs:
        raise ValueError("0 jobs to plot: give at least one that finished")
    experiments: dict[str, list[SweptJob]] = {}
    for job in jobs:
        experiments.setdefault(job.name, []).append(job)
    ordered = sorted(experiments.items(), key=lambda item: -mean(item[1]))
    score = next((name for name in DECIDING if any(name in row for job in jobs for row in job.epochs)), None)
    heights = [*([3.0] if score else []), 0.5 + 0.24 * len(ordered)]
    figure = Figure(figsize=(7.2, 1.0 + sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), squeeze=False, height_ratios=heights)[:, 0]
    if score:
        draw_ways(axes[0], ordered, score)
    draw_ends(
        axes[-1], ordered, name="objective" if score is None else f"{SCORES[score][0]} of the best epoch"
    )
    best, own = ordered[0]
    figure.suptitle(
        title or f"{shorten(best, LETTERS, placeholder=' …')}: {100 * mean(own):.1f} %", x=0.02, ha="left"
    )
    return write_png(figure, path)


def mean(jobs: Sequence[SweptJob]) -> float:
    return sum(job.objective for job in jobs) / len(jobs)


def colour(place: int) -> str:
    return COLOURS[place] if place < len(COLOURS) else PLAIN


def draw_ways(ax: Axes, ordered: Sequence[tuple[str, Sequence[SweptJob]]], score: str) -> None:
    """A line a job; repeats of an experiment differ in their dashes."""
    for place, (_, jobs) in reversed(list(enumerate(ordered))):
        dashes = cycle(["solid", (0, (4, 2)), (0, (1.5, 1.5))])
        for job, dash in zip(jobs, dashes, strict=False):
            x, y = points_of(job.epochs, score)
            marker = "o" if len(x) == 1 else ""
            ax.plot(x, 100 * y, color=colour(place), linestyle=dash, linewidth=1.4, marker=marker)
    ax.set_title(f"{SCORES[score][0]} over the epochs")
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def draw_ends(ax: Axes, ordered: Sequence[tuple[str, Sequence[SweptJob]]], *, name: str) -> None:
    """A row an experiment, named at its left and its mean in figures at its right."""
    for place, (_, jobs) in enumerate(ordered):
        ax.plot([100 * mean(jobs)], [place], "|", color=colour(place), markersize=13, markeredgewidth=2)
        ax.plot(
            [100 * job.objective for job in jobs], [place] * len(jobs), "o", color=colour(place), markersize=5
        )
    names = [shorten(text, LETTERS, placeholder=" …") for text, _ in ordered]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    ax.margins(x=0.06)
    figures = ax.secondary_yaxis("right")
    figures.set_yticks(range(len(names)), [f"{100 * mean(jobs):.1f}" for _, jobs in ordered])
    figures.tick_params(length=0)
    figures.spines["right"].set_visible(False)
    repeats = max(len(jobs) for _, jobs in ordered)
    ax.set_title(name + (": a dot a repeat, means in figures" if repeats > 1 else ""))
    ax.tick_params(axis="y", labelcolor=SOFT)
