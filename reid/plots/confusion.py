"""Which values of an attribute a network takes for which."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from reid.plots.style import BLUE, INK, PAPER, SOFT, STYLE, write_png

CELL, ROOMY_CELL, ROOMY = 0.46, 0.78, 6  # inches; values up to which cells are wide and hold counts, too
LETTER, BOLD = 0.07, 0.105  # inches of width of a letter, of one of the title's
EDGE, HEAD = 0.2, 1.0  # inches: the picture's margin, the lines above the columns' names
LEGEND = ("rows: true values and their images; columns: what", "the network says; in per cent of each row")
SHADES = LinearSegmentedColormap.from_list("shades", ["#F4F6F8", "#CFE0F1", BLUE, "#1B4A80"])


@rc_context(STYLE)
def plot_confusion(matrix: ArrayLike, names: Sequence[str], path: Path, *, title: str) -> Path:
    """True values as rows, what the network says as columns, in per cent of each row.

    Cells of a small matrix hold numbers of images too; the row of a value that no image has says so.

    Args:
        matrix: (A, A) numbers of images.
        names: A, of the values.
        title: what is named; the accuracy stands behind it.

    Raises:
        ValueError: a matrix that is not square, not as large as there are names, or without images.
    """
    counts = np.asarray(matrix, dtype=np.int64)
    if counts.shape != (len(names), len(names)) or (counts < 0).any() or not counts.any():
        raise ValueError(
            f"a confusion matrix of shape {counts.shape} and {counts.sum()} images with {len(names)} names: "
            "give a square one of counts, as many names as rows, and at least one image"
        )
    images = counts.sum(1)
    rows = [f"{name}  {count:,}" for name, count in zip(names, images, strict=True)]
    right = 100 * counts.trace() / images.sum()
    heading = f"{title}: {right:.1f} % of {images.sum():,} right"
    cell = ROOMY_CELL if len(names) <= ROOMY else CELL
    side = cell * len(names)
    upright = LETTER * max(map(len, names)) > 0.9 * cell  # else columns' names would meet
    left = EDGE + 0.1 + LETTER * max(map(len, rows))
    top = HEAD + (LETTER * max(map(len, names)) if upright else 0.1)
    width = max(left + side + EDGE, 2 * EDGE + max(BOLD * len(heading), LETTER * max(map(len, LEGEND))))
    height = top + side + EDGE
    figure = Figure(figsize=(width, height))
    ax = figure.add_axes((left / width, EDGE / height, side / width, side / height))
    draw_cells(ax, counts, roomy=cell == ROOMY_CELL)
    ax.set_xticks(range(len(names)), names, rotation=90 if upright else 0, color=INK)
    ax.set_yticks(range(len(names)), rows, color=INK)
    figure.text(EDGE / width, 1 - EDGE / height, heading, va="top", size=12, weight="bold")
    legend = "\n".join(LEGEND)
    figure.text(
        EDGE / width, 1 - (EDGE + 0.28) / height, legend, va="top", size=8, color=SOFT, linespacing=1.3
    )
    return write_png(figure, path)


def draw_cells(ax: Axes, counts: NDArray[np.int64], *, roomy: bool) -> None:
    """Shades, and per cent in each cell that has images, with their number where there is room."""
    images = counts.sum(1)
    shares = 100 * counts / np.maximum(images, 1)[:, None]
    ax.imshow(shares, cmap=SHADES, norm=PowerNorm(0.6, 0, 100), aspect="auto")  # a few per cent show
    for row, column in np.argwhere(counts).tolist():
        share = shares[row, column]
        number = f"{share:.0f}" if share >= 0.5 else "<1"
        style: dict[str, Any] = {"ha": "center", "va": "center", "color": PAPER if share > 35 else INK}
        weight = "bold" if row == column else "normal"
        if roomy:
            ax.text(column, row - 0.1, f"{number} %", weight=weight, **style)
            ax.text(column, row + 0.2, f"{counts[row, column]:,}", size=7, **style)
        else:
            ax.text(column, row, number, weight=weight, size=8, **style)
    for row in np.flatnonzero(images == 0).tolist():
        ax.text(len(counts) / 2 - 0.5, row, "no image", ha="center", va="center", color=SOFT, size=8)
    lines = np.arange(1, len(counts)) - 0.5
    ax.hlines(lines, -0.5, len(counts) - 0.5, color=PAPER, linewidth=2)
    ax.vlines(lines, -0.5, len(counts) - 0.5, color=PAPER, linewidth=2)
    ax.grid(False)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, pad=5)
    ax.spines[:].set_visible(False)
