"""Figures over epochs, ranks and errors: how a training went, where the matches are, what errors buy."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from math import ceil, floor, log10
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from reid.plots.style import AMBER, BLUE, PAPER, ROSE, SOFT, STYLE, TEAL, VIOLET, write_png

SCORES = {
    "val/mAP": ("mAP", BLUE),
    "val/rank1": ("rank-1", AMBER),
    "val/mINP": ("mINP", TEAL),
    "val/pck": ("PCK", BLUE),
    "val/pck_at_0.1": ("PCK@0.1", AMBER),
}
ACCURACY = "_accuracy"  # of an attribute, as val/color_accuracy
ATTRIBUTES = (VIOLET, ROSE, SOFT)  # colours, in turn
MAIN = ("val/mAP", "val/rank1", "val/pck", "val/pck_at_0.1")  # whose values at the best epoch are shown
DECIDING = ("val/mAP", "val/pck")  # the first that there is chooses the best epoch
PARTS = (BLUE, AMBER, VIOLET, TEAL, ROSE)  # of the loss
SPEEDS = {
    "train/images_per_second",
    "train/images_per_second_per_device",
    "train/data_wait",
}  # logged beside the losses
RANKS = 20
LOWEST = 1e-6  # false positive rate shown: fewer errors are single pairs of images

Points = tuple[NDArray[np.float64], NDArray[np.float64]]  # x and y, finite


@rc_context(STYLE)
def plot_training(epochs: Sequence[Mapping[str, float]], path: Path) -> Path:
    """Losses, scores and learning rate over the epochs, the epoch of the highest mAP or PCK marked.

    Args:
        epochs: rows of metrics.csv: ``epoch`` from 0 (shown from 1), ``train/<loss>``, ``val/<score>`` and
            ``val/<attribute>_accuracy`` as fractions, ``learning_rate``. A row may lack a value or hold NaN;
            a panel without any is left out.

    Raises:
        ValueError: without epochs, or with epochs that hold none of these.
    """
    names = list(dict.fromkeys(name for row in epochs for name in row))
    losses = [name for name in names if name.startswith("train/") and name not in SPEEDS]
    scores = [*SCORES, *(name for name in names if name.startswith("val/") and name.endswith(ACCURACY))]
    series = {name: points_of(epochs, name) for name in (*losses, *scores, "learning_rate")}
    series = {name: points for name, points in series.items() if len(points[0])}
    panels = [
        (draw, values, height)
        for draw, columns, height in (
            (draw_losses, losses, 3.0),
            (draw_scores, scores, 3.0),
            (draw_rate, ("learning_rate",), 1.0),
        )
        if (values := {name: series[name] for name in columns if name in series})
    ]
    if not panels:
        raise ValueError(
            f"{len(epochs)} epochs with the columns {names} hold nothing to plot: give at least one row with "
            f"train/<loss>, {', '.join(SCORES)} or learning_rate"
        )
    heights = [height for _, _, height in panels]
    figure = Figure(figsize=(7.2, 0.9 + 0.82 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    best = best_epoch(series)
    for ax, (draw, values, _) in zip(axes, panels, strict=True):
        if best is not None:
            ax.axvline(best, color=SOFT, linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
        draw(ax, values)
    x = np.concatenate([points[0] for points in series.values()])
    margin = max(0.5, 0.01 * np.ptp(x))
    axes[-1].set_xlim(x.min() - margin, x.max() + margin)
    axes[-1].xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes[-1].set_xlabel("epoch")
    figure.suptitle(training_title(series, best, last=int(x.max())), x=0.02, ha="left")
    return write_png(figure, path)


def draw_losses(ax: Axes, losses: Mapping[str, Points]) -> None:
    """The weighted sum as a broad line beneath its parts, which may coincide with it."""
    colours = cycle(PARTS)
    for name, points in sorted(losses.items(), key=lambda item: item[0] == "train/loss"):
        if name == "train/loss":
            draw_line(ax, points, "weighted sum", colour="#B4BBC4", linewidth=4.0, zorder=1.5)
        else:
            draw_line(ax, points, name.removeprefix("train/"), colour=next(colours))
    values = np.concatenate([y for _, y in losses.values()])
    if values.min() >= 0 < values.max():
        ax.set_ylim(0, 1.06 * values.max())
    ax.set_title("training loss")
    name_lines(ax)


def draw_scores(ax: Axes, scores: Mapping[str, Points]) -> None:
    """Scores in %; the main ones of the best epoch in figures."""
    best = best_epoch(scores) or 0.0  # an epoch that is not
    marked, colours = [], cycle(ATTRIBUTES)
    for name, (x, y) in scores.items():
        label, colour = SCORES.get(name) or (attribute(name), next(colours))
        main = name in MAIN
        draw_line(ax, (x, 100 * y), label, colour=colour, linewidth=1.8 if main else 1.2)
        marked += [(100 * value, colour) for value in y[x == best] if main]
    for value, colour in marked:
        above = (value, colour) == max(marked)
        ax.plot(best, value, "o", color=colour, markersize=7, markeredgecolor=PAPER, zorder=4)
        ax.annotate(
            f"{value:.1f}",
            (best, value),
            xytext=(0, 7 if above else -7),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            color=colour,
            weight="bold",
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
            zorder=3,
        )
    ax.margins(y=0.18)  # room for the figures
    ax.set_ylim(bottom=max(0, ax.get_ylim()[0]))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g} %" if value <= 100 else "")
    ax.set_title("keypoints" if "val/pck" in scores else "retrieval on query and gallery")
    name_lines(ax)


def attribute(name: str) -> str:
    """What an attribute is called, of the name of its accuracy."""
    return name.removeprefix("val/").removesuffix(ACCURACY)


def draw_rate(ax: Axes, rate: Mapping[str, Points]) -> None:
    """The learning rate, on an axis that says its highest value."""
    draw_line(ax, rate["learning_rate"], "learning rate", colour=SOFT, linewidth=1.2)
    highest = rate["learning_rate"][1].max()
    if highest > 0:
        ax.set_ylim(0, 1.15 * highest)
        ax.set_yticks([0, highest], ["0", f"{highest:.3g}"])
    ax.set_title("learning rate")


def draw_line(
    ax: Axes, points: Points, label: str, *, colour: str, linewidth: float = 1.8, zorder: float = 2
) -> None:
    """One named line; dots where the points are few, so that a lone one shows."""
    (line,) = ax.plot(*points, color=colour, linewidth=linewidth, label=label, zorder=zorder)
    if len(points[0]) <= 30:
        line.set(marker="o", markersize=linewidth + 1.7)


def name_lines(ax: Axes) -> None:
    """The lines' names in a row above the panel, where no line can pass."""
    lines, labels = ax.get_legend_handles_labels()
    ax.legend(lines, labels, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(labels), columnspacing=1.4)


def points_of(epochs: Sequence[Mapping[str, float]], name: str) -> Points:
    """Epochs from 1 and values of one column, where it has finite ones."""
    table = np.array(
        [(row["epoch"] + 1, row[name]) for row in epochs if name in row], dtype=np.float64
    ).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    return table[:, 0], table[:, 1]


def best_epoch(series: Mapping[str, Points]) -> float | None:
    """The first epoch, from 1, of the highest mAP or PCK."""
    deciding = next((name for name in DECIDING if name in series), None)
    if deciding is None:
        return None
    x, y = series[deciding]
    return float(x[y.argmax()])


def training_title(series: Mapping[str, Points], best: float | None, *, last: int) -> str:
    """What came of the training, in a line."""
    if best is None:
        return f"{last} epochs, not evaluated"
    shown = [(SCORES[name][0], *series[name]) for name in MAIN if name in series]
    scores = [f"{label} {100 * y[x == best][0]:.1f} %" for label, x, y in shown if best in x]
    return f"{' and '.join(scores)} at epoch {best:.0f} of {last}"


@rc_context(STYLE)
def plot_cmc(
    curves: Mapping[str, Sequence[float]], path: Path, *, mean_average_precision: Mapping[str, float]
) -> Path:
    """The share of queries with a match among the nearest 1, 2, … 20, for each distance.

    Args:
        curves: distance -> CMC from rank 1, fractions; shorter where the gallery is smaller.
        mean_average_precision: distance -> mAP, a fraction.

    Raises:
        ValueError: without curves, with an empty one, or with one that has no mAP.
    """
    percent = {name: 100 * np.asarray(curve, dtype=np.float64)[:RANKS] for name, curve in curves.items()}
    incomplete = [
        name for name, curve in percent.items() if not len(curve) or name not in mean_average_precision
    ]
    if incomplete or not percent:
        raise ValueError(
            f"CMC curves of {list(percent)} with mAP of {list(mean_average_precision)}: give at least one "
            "distance, and each a value a rank and its mAP"
        )
    figure = Figure(figsize=(5.4, 4.0), layout="constrained")
    ax = figure.subplots()
    dashes = cycle(["solid", (0, (3, 2))])  # distances of normalised features coincide
    for (name, curve), colour, dash in zip(percent.items(), cycle(PARTS), dashes):
        scores = f"mAP {100 * mean_average_precision[name]:.1f} %, rank-1 {curve[0]:.1f} %"
        ranks = np.arange(1, len(curve) + 1)
        (line,) = ax.plot(ranks, curve, color=colour, linestyle=dash, label=f"{name}: {scores}")
        line.set(marker="o", markersize=3.5)
    longest = max(map(len, percent.values()))
    lowest = min(curve.min() for curve in percent.values())
    ax.set_xlim(0.6, longest + 0.4)
    bottom = max(0, 10 * floor((lowest - 5) / 10))
    ax.set_ylim(bottom, 100 + 0.03 * (100 - bottom))
    ax.set_xticks([rank for rank in range(1, longest + 1) if longest < 5 or rank == 1 or rank % 5 == 0])
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g} %"))
    ax.set_xlabel("rank")
    ax.set_title("queries with a match at or before the rank")
    ax.legend(loc="lower right")
    best = max(percent, key=lambda name: mean_average_precision[name])
    finding = f"rank-1 {percent[best][0]:.1f} %, mAP {100 * mean_average_precision[best]:.1f} % ({best})"
    figure.suptitle(finding, x=0.02, ha="left")
    return write_png(figure, path)


@rc_context(STYLE)
def plot_roc(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], path: Path, *, fpr: float = 1e-3
) -> Path:
    """The share of matching pairs accepted over that of others, on a logarithmic axis, for each distance.

    Args:
        curves: distance -> false and true positive rates, ascending fractions: the corners of a curve that is
            flat between them, as `reid.evaluation.Verification.curve` gives.
        fpr: the false positive rate at which figures are given, one that the curves were made for.

    Raises:
        ValueError: without curves, with one that has no corner at 0, where each must start, or where none has
            a rate above 0.
    """
    corners = {
        name: (np.asarray(false, dtype=np.float64), 100 * np.asarray(true, dtype=np.float64))
        for name, (false, true) in curves.items()
    }
    above = [rate for false, _ in corners.values() for rate in false[false > 0]]
    whole = all(len(false) == len(true) and 0 in false for false, true in corners.values())
    if not above or not whole or not 0 <= fpr <= 1:
        raise ValueError(
            f"ROC curves of {list(corners)} and fpr={fpr}: give at least one distance, each as many false as "
            "true positive rates, from 0 on and not only 0 (verify with a larger largest_fpr), and fpr from "
            "0 to 1"
        )
    right = max(above)
    left = max(10.0 ** (ceil(log10(min(above))) - 1), min(LOWEST, right / 10))  # so that FPR 0 shows
    at_fpr = {name: value_at(points, fpr) for name, points in corners.items()}
    at_left = {name: value_at(points, left) for name, points in corners.items()}
    figure = Figure(figsize=(5.4, 4.0), layout="constrained")
    ax = figure.subplots()
    if left < fpr <= right:
        ax.axvline(fpr, color=SOFT, linewidth=0.9, linestyle=(0, (2, 3)), zorder=1)
    dashes = cycle(["solid", (0, (3, 2))])  # distances of normalised features coincide
    for (name, (false, true)), colour, dash in zip(corners.items(), cycle(PARTS), dashes):
        inside = false > left
        x, y = np.r_[left, false[inside], right], np.r_[at_left[name], true[inside], true[-1]]
        label = f"{name}: {at_fpr[name]:.1f} % at {fpr:g}"
        ax.plot(x, y, color=colour, linestyle=dash, drawstyle="steps-post", label=label)
    ax.set_xscale("log")
    ax.set_xlim(left, 1.05 * right)  # 1 % of the pairs, rounded down, is to the left of 0.01
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # the usual one writes formulas, and STYLE none
    ax.xaxis.set_minor_formatter(NullFormatter())
    bottom = max(0, 10 * floor((min(at_left.values()) - 5) / 10))
    margin = 0.03 * (100 - bottom)
    ax.set_ylim(bottom - margin, 100 + margin)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g} %"))
    ax.set_xlabel("false positive rate")
    ax.set_title("matching pairs accepted")
    ax.legend(loc="best")  # good curves leave the lower right free, bad ones the upper left
    best = max(at_fpr, key=lambda name: at_fpr[name])
    figure.suptitle(f"TPR {at_fpr[best]:.1f} % at FPR {fpr:g} ({best})", x=0.02, ha="left")
    return write_png(figure, path)


def value_at(corners: Points, x: float) -> float:
    """The height of a curve that is flat after each of its corners: that of the last at or before ``x``."""
    return float(corners[1][corners[0] <= x][-1])
