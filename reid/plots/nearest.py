"""The contact sheet of a search: queries and the gallery pictures nearest to them."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context

from reid.plots.ranked_lists import PLACES, draw_heading, laid_out, titled_sheet
from reid.plots.sheet import (
    CAPTION,
    FRAME,
    HEADING,
    MARGIN,
    draw_cell,
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
    images, grid = laid_out([(one.query, *one.gallery[:PLACES]) for one in lists])
    sheet, top = titled_sheet(grid, title, below=HEADING + grid.row * len(lists) + MARGIN)
    draw_heading(sheet, grid, "", y=top)
    for number, one in enumerate(lists):
        y = top + HEADING + number * grid.row
        name = textwrap.wrap(one.title, LETTERS, max_lines=6, placeholder="…")
        sheet.write(MARGIN, y + 4, "\n".join(name), va="top", size=8, color=SOFT, linespacing=1.3)
        captions = ["", *(f"{distance:.3g}" for distance in one.distance[:PLACES])]
        for place, (file, caption) in enumerate(zip((one.query, *one.gallery), captions, strict=False)):
            x, colour = grid.x(place), FAINT if place else BLUE
            draw_cell(sheet, images[file], x=x, y=y + FRAME, size=(grid.width, grid.height), colour=colour)
            middle = (x + grid.width / 2, y + grid.row - CAPTION / 2 - 1)
            sheet.write(*middle, caption, va="center", ha="center", size=7.5, color=SOFT)
    sheet.figure.figimage(sheet.pixels)
    return write_png(sheet.figure, path)
