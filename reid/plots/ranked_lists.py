"""The contact sheet: the head of the ranked list of the best, typical and worst queries."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from numpy.typing import ArrayLike

from reid.plots.sheet import (
    CAPTION,
    FRAME,
    GAP,
    HEAD,
    HEADING,
    KEY,
    LETTER,
    LINE,
    MARGIN,
    Pixels,
    Sheet,
    cell_size,
    draw_cell,
    read_rgb,
)
from reid.plots.style import BLUE, FAINT, GREEN, RED, SOFT, STYLE, write_png

PLACES = 10
KEY_WIDTH = 370  # pixels
TICK, CROSS = "✓", "✗"


@dataclass(frozen=True)
class RankedList:
    """A query and its nearest gallery images."""

    title: str  # whom or what the query shows
    query: Path
    gallery: Sequence[Path]  # nearest first; the first ten are shown
    match: Sequence[bool]  # which of them show the query's identity
    average_precision: float  # a fraction
    group: str = ""  # heading over consecutive lists that share it
    camera: str = ""  # of the query
    cameras: Sequence[str] = ()  # of the gallery images; empty, or one each

    def __post_init__(self) -> None:
        if len(self.match) != len(self.gallery) or len(self.cameras) not in (0, len(self.gallery)):
            raise ValueError(
                f"{self.title}: {len(self.gallery)} gallery images with {len(self.match)} matches and "
                f"{len(self.cameras)} cameras; give one match per image, and cameras for all or none"
            )


def choose_queries(average_precision: ArrayLike, *, count: int = 3) -> dict[str, list[int]]:
    """Rows of the best, typical and worst queries, the most fitting first; no row twice.

    Best have the highest AP, worst the lowest, typical the nearest to the median of all. Fewer than
    ``3 * count`` scored queries are shared out, the best served first, then the worst.

    Args:
        average_precision: (Nq,); NaN is a query that was not scored, and is never chosen.
    """
    ap = np.asarray(average_precision, dtype=np.float64)
    # A good model has many queries of AP 1, and neighbours show one person: ties are mixed, in a fixed way.
    rows = np.random.default_rng(0).permutation(len(ap))
    rows = rows[~np.isnan(ap[rows])]
    rows = rows[np.argsort(-ap[rows], kind="stable")]
    best = min(count, -(-len(rows) // 3))
    worst = min(count, -(-(len(rows) - best) // 2))
    middle = rows[best : len(rows) - worst]
    if len(middle):
        middle = middle[np.argsort(np.abs(ap[middle] - np.median(ap[rows])), kind="stable")]
    return {
        "best": rows[:best].tolist(),
        "typical": middle[:count].tolist(),
        "worst": rows[::-1][:worst].tolist(),
    }


@rc_context(STYLE)
def plot_ranked_lists(lists: Sequence[RankedList], path: Path, *, title: str = "") -> Path:
    """A row a query: its image in blue, then the ten nearest, green and ticked or red and crossed.

    Images keep their shape in cells of one size; one that cannot be read is a grey cell that says so.

    Raises:
        ValueError: without lists.
    """
    if not lists:
        raise ValueError("0 ranked lists to plot: give at least one query that was scored")
    images, grid = laid_out([(one.query, *one.gallery[:PLACES]) for one in lists])
    groups = [(name, list(members)) for name, members in groupby(lists, key=lambda one: one.group)]
    rows = HEADING * len(groups) + grid.row * len(lists)
    sheet, y = titled_sheet(grid, title, below=rows + KEY)
    bottom = y + rows
    for name, members in groups:
        draw_heading(sheet, grid, name, y=y)
        y += HEADING
        for one in members:
            draw_list(sheet, grid, one, images, y=y)
            y += grid.row
    for x, colour, text in ((0, GREEN, f"{TICK} same identity"), (180, RED, f"{CROSS} another identity")):
        sheet.write(grid.x(0) - FRAME + x, bottom + KEY / 2, text, size=8, color=colour, va="center")
    sheet.figure.figimage(sheet.pixels)
    return write_png(sheet.figure, path)


@dataclass(frozen=True)
class Grid:
    """Where cells stand, in pixels; place 0 is the query, place k the k-th nearest gallery image."""

    width: int  # of a cell
    height: int
    places: int  # of the longest list

    def x(self, place: int) -> int:
        """The left side of the image in a cell."""
        return MARGIN + HEAD + FRAME + place * (self.width + 2 * FRAME + GAP) + (2 * GAP if place else 0)

    @property
    def right(self) -> int:
        """The right side of the last column, or of the key below."""
        return max(self.x(self.places) + self.width + FRAME, self.x(0) + KEY_WIDTH)

    @property
    def row(self) -> int:
        """The height of frames, image and caption."""
        return self.height + 2 * FRAME + CAPTION


def laid_out(rows: Sequence[Sequence[Path]]) -> tuple[dict[Path, Pixels | None], Grid]:
    """Images, and where they stand.

    Args:
        rows: of each list the query and its nearest gallery images, as many as are shown.
    """
    images = {file: read_rgb(file) for row in rows for file in row}
    width, height = cell_size([image for image in images.values() if image is not None])
    return images, Grid(width, height, places=max(len(row) for row in rows) - 1)


def titled_sheet(grid: Grid, title: str, *, below: int) -> tuple[Sheet, int]:
    """A sheet with a title, and where its rows begin, which are ``below`` pixels high with what follows."""
    lines = textwrap.wrap(title, (grid.right - MARGIN) // LETTER)
    top = MARGIN + LINE * len(lines) + (GAP if lines else 0)
    sheet = Sheet(grid.right + MARGIN, top + below)
    sheet.write(MARGIN, MARGIN, "\n".join(lines), va="top", size=12, weight="bold")
    return sheet, top


def draw_heading(sheet: Sheet, grid: Grid, name: str, *, y: int) -> None:
    """A group's name and, on the same line, what each column holds."""
    line = y + HEADING - 14
    sheet.write(MARGIN, line, name, va="baseline", size=11, weight="bold")
    for place in range(grid.places + 1):
        middle = grid.x(place) + grid.width / 2
        sheet.write(middle, line, str(place or "query"), va="baseline", ha="center", size=8, color=SOFT)
    sheet.fill(MARGIN, line + 7, FAINT, size=(sheet.width - 2 * MARGIN, 1))


def draw_list(
    sheet: Sheet, grid: Grid, one: RankedList, images: Mapping[Path, Pixels | None], *, y: int
) -> None:
    """One query's row from ``y`` down: its AP and title, its image, and the images found."""
    sheet.write(MARGIN, y + 4, f"AP {100 * one.average_precision:.1f} %", va="top", size=10, weight="bold")
    title = "\n".join(textwrap.wrap(one.title, 16, max_lines=3, placeholder="…"))
    sheet.write(MARGIN, y + 32, title, va="top", size=8, color=SOFT, linespacing=1.3)
    marks = [(GREEN, TICK) if matches else (RED, CROSS) for matches in one.match[:PLACES]]
    cells = zip(
        (one.query, *one.gallery),
        [(BLUE, ""), *marks],
        (one.camera, *(one.cameras or [""] * len(marks))),
        strict=False,  # the gallery may be longer than what is shown
    )
    for place, (file, (colour, mark), camera) in enumerate(cells):
        draw_cell(
            sheet, images[file], x=grid.x(place), y=y + FRAME, size=(grid.width, grid.height), colour=colour
        )
        caption = (grid.x(place) + grid.width / 2, y + grid.row - CAPTION / 2 - 1)
        sheet.write(*caption, f"{mark} {camera}".strip(), va="center", ha="center", size=7.5, color=colour)
