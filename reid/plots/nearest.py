"""The contact sheet of a search: queries and the gallery pictures nearest to them."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context

from reid.plots.ranked_lists import PLACES, Grid, draw_heading
from reid.plots.sheet import (
    CAPTION,
    FRAME,
    GAP,
    HEADING,
    LETTER,
    LINE,
    MARGIN,
    Sheet,
    cell_size,
    draw_cell,
    read_rgb,
)
from reid.plots.style import BLUE, FAINT, SOFT, STYLE, write_png

LETTERS = 13  # of a file's name on a line: digits are wide


@dataclass(frozen=True)
class NearestList:
    """A query and its nearest gallery images, of identities that nobody knows."""

    title: str
    query: Path
    gallery: Sequence[Path]  # nearest first; the first ten are shown
    distance: Sequence[float]  # to each of them


@rc_context(STYLE)
def plot_nearest(lists: Sequence[NearestList], path: Path, *, title: str = "") -> Path:
    """A row a query: its image in blue, then the ten nearest, each over its distance.

    Raises:
        ValueError: without lists.
    """
    if not lists:
        raise ValueError("0 lists to plot: give at least one query")
    images = {file: read_rgb(file) for one in lists for file in (one.query, *one.gallery[:PLACES])}
    width, height = cell_size([image for image in images.values() if image is not None])
    grid = Grid(width, height, places=max(len(one.gallery[:PLACES]) for one in lists))
    lines = textwrap.wrap(title, (grid.right - MARGIN) // LETTER)
    top = MARGIN + LINE * len(lines) + (GAP if lines else 0)
    sheet = Sheet(grid.right + MARGIN, top + HEADING + grid.row * len(lists) + MARGIN)
    sheet.write(MARGIN, MARGIN, "\n".join(lines), va="top", size=12, weight="bold")
    draw_heading(sheet, grid, "", y=top)
    for number, one in enumerate(lists):
        y = top + HEADING + number * grid.row
        name = textwrap.wrap(one.title, LETTERS, max_lines=6, placeholder="…")
        sheet.write(MARGIN, y + 4, "\n".join(name), va="top", size=8, color=SOFT, linespacing=1.3)
        captions = ["", *(f"{distance:.3g}" for distance in one.distance[:PLACES])]
        for place, (file, caption) in enumerate(zip((one.query, *one.gallery), captions, strict=False)):
            x, colour = grid.x(place), FAINT if place else BLUE
            draw_cell(sheet, images[file], x=x, y=y + FRAME, size=(width, height), colour=colour)
            middle = (x + width / 2, y + grid.row - CAPTION / 2 - 1)
            sheet.write(*middle, caption, va="center", ha="center", size=7.5, color=SOFT)
    sheet.figure.figimage(sheet.pixels)
    return write_png(sheet.figure, path)
