"""The contact sheet of a benchmark: some of its people before all their cameras, where wrong labels show."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib import rc_context

from reid.datasets.records import Benchmark, Record
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
from reid.plots.style import BLUE, FAINT, INK, SOFT, STYLE, write_png

ROWS, PLACES = 6, 10  # identities of a list, images of an identity
PLAIN = "#9AA3AD"  # frames of what is no query
Item = TypeVar("Item")
Cell = tuple[Record, bool]  # an image, and whether it is a query


@dataclass(frozen=True)
class Row:
    """An identity's images, by camera."""

    title: str
    subtitle: str
    cells: Sequence[Cell]


@rc_context(STYLE)
def plot_contact_sheet(benchmark: Benchmark, path: Path) -> Path:
    """A row an identity, with as many of its cameras as fit: of training, then of the test, then distractors.

    Identities are taken evenly from the sorted ones. Queries have blue frames; a file that cannot be read is
    a grey cell that says so.

    Raises:
        ValueError: a benchmark without images.
    """
    groups = choose(benchmark)
    rows = [row for group in groups.values() for row in group]
    if not rows:
        raise ValueError(f"{benchmark.name} has no images to show")
    images = {record.path: read_rgb(record.path) for row in rows for record, _ in row.cells}
    size = cell_size([image for image in images.values() if image is not None])
    step = size[0] + 2 * FRAME + GAP
    height = size[1] + 2 * FRAME + CAPTION
    width = 2 * MARGIN + HEAD + step * max(5, *(len(row.cells) for row in rows)) - GAP  # 5: of the key
    lines = textwrap.wrap(benchmark.name, (width - 2 * MARGIN) // LETTER)
    y = MARGIN + LINE * len(lines) + GAP
    bottom = y + HEADING * len(groups) + height * len(rows)
    sheet = Sheet(width, bottom + KEY)
    sheet.write(MARGIN, MARGIN, "\n".join(lines), va="top", size=12, weight="bold")
    for name, group in groups.items():
        sheet.write(MARGIN, y + HEADING - 14, name, va="baseline", size=11, weight="bold")
        sheet.fill(MARGIN, y + HEADING - 7, FAINT, size=(width - 2 * MARGIN, 1))
        y += HEADING
        for row in group:
            draw_row(sheet, row, images, y=y, size=size)
            y += height
    for x, colour, text in ((0, BLUE, "query"), (90, SOFT, "training or gallery image")):
        sheet.write(MARGIN + HEAD + x, bottom + KEY / 2, text, size=8, color=colour, va="center")
    sheet.figure.figimage(sheet.pixels)
    return write_png(sheet.figure, path)


def draw_row(
    sheet: Sheet, row: Row, images: Mapping[Path, Pixels | None], *, y: int, size: tuple[int, int]
) -> None:
    """One identity from ``y`` down: its number, and its images with their cameras."""
    sheet.write(MARGIN, y + 4, row.title, va="top", size=9, weight="bold")
    sheet.write(MARGIN, y + 32, row.subtitle, va="top", size=8, color=SOFT, linespacing=1.3)
    for place, (record, is_query) in enumerate(row.cells):
        x = MARGIN + HEAD + FRAME + place * (size[0] + 2 * FRAME + GAP)
        colour = BLUE if is_query else PLAIN
        draw_cell(sheet, images[record.path], x=x, y=y + FRAME, size=size, colour=colour)
        caption = (x + size[0] / 2, y + size[1] + 2 * FRAME + CAPTION / 2 - 1)
        camera = f"cam {record.camera + 1}" if record.camera >= 0 else "cam ?"
        sheet.write(*caption, camera, va="center", ha="center", size=7.5, color=BLUE if is_query else INK)


def choose(benchmark: Benchmark) -> dict[str, list[Row]]:
    """Heading -> rows; what a benchmark does not have is left out, a query in the gallery not repeated."""
    queries = {record.path.name for record in benchmark.query}
    lists = {
        "training": [(record, False) for record in benchmark.train],
        "query and gallery": [
            *((record, True) for record in benchmark.query),
            *((record, False) for record in benchmark.gallery if record.path.name not in queries),
        ],
    }
    groups: dict[str, list[Row]] = {}
    for name, cells in lists.items():
        people: dict[int, list[Cell]] = {}
        for cell in cells:
            people.setdefault(cell[0].identity, []).append(cell)
        nobody = people.pop(benchmark.distractor, []) if benchmark.distractor is not None else []
        chosen = evenly(sorted(people), ROWS)
        if chosen:
            shown = f"{len(chosen)} of {len(people):,}" if len(people) > len(chosen) else f"{len(people)}"
            groups[f"{name}: {shown} identities"] = [row_of(who, people[who]) for who in chosen]
        if nobody:
            title = f"{name}: distractors"
            groups[title] = [Row("nobody", f"{len(nobody):,} images", evenly(nobody, PLACES))]
    return groups


def row_of(identity: int, cells: Sequence[Cell]) -> Row:
    """The first image of each camera, then the second ..., as many as fit, and those by camera."""
    by_camera: dict[int, list[Cell]] = {}
    for cell in cells:
        by_camera.setdefault(cell[0].camera, []).append(cell)
    turns = [(turn, camera, cell) for camera, own in by_camera.items() for turn, cell in enumerate(own)]
    first = sorted(turns, key=lambda each: each[:2])[:PLACES]
    shown = [cell for *_, cell in sorted(first, key=lambda each: (each[1], each[0]))]
    images = f"{len(cells):,} image{'s' * (len(cells) > 1)}"
    cameras = f"{len(by_camera)} camera{'s' * (len(by_camera) > 1)}"
    return Row(f"identity {identity}", f"{images}\n{cameras}", shown)


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most ``count``, spread over all of them."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[place] for place in places]
