"""What pictures of vehicles share: rows of views on a page, keypoints over them, and what marks mean."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, NamedTuple

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reid.datasets.keypoints import SEGMENTS, SIDES
from reid.plots.sheet import FRAME, GAP, HEAD, HEADING, LETTER, LINE, MARGIN, Pixels, Sheet
from reid.plots.style import AMBER, BLUE, FAINT, INK, PAPER, SOFT

AREA = 240 * 240  # pixels of a cell
SURE = 0.5  # confidence from which a keypoint is drawn full
SIDE_COLOURS = dict(zip(SIDES, (BLUE, AMBER), strict=True))
SEGMENT_COLOURS = (  # of one hue what mirrors each other, the left side darker
    *("#1F6FB4", "#2E9E57", "#7B4FA3"),
    *("#7FC0F0", "#93D8A4", "#C3A2E0"),
    *("#D8343F", "#F08A3C", "#F4C531", "#8A5A3B", "#19B5B0", "#E86FA8", "#9AA032"),
)
SWATCH, ENTRY = 14, 200  # pixels: a colour of the key, an entry's width


class View(NamedTuple):
    """A picture in its cell, to be painted on before it is put there."""

    picture: NDArray[np.float32]  # (h, w, 3) in 0..255
    x: int  # of its left upper corner on the page, in pixels
    y: int
    scale: tuple[float, float]  # pixels of the page a pixel of the image, across and down

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.picture.shape[1], self.picture.shape[0]


class Page:
    """A title, a row an image with its text before it, a column a kind of view, and below them a key.

    Args:
        images: of the rows, which decide the shape of cells.
        texts: of the rows; their lines are kept.
        columns: their headings.
        title: above all.
        segments: the key explains segments.
        sides: it explains the colours of left and right.
        sure: it explains the rings of keypoints.
    """

    def __init__(
        self,
        images: Sequence[Pixels],
        texts: Sequence[str],
        columns: Sequence[str],
        *,
        title: str,
        segments: bool,
        sides: bool,
        sure: bool,
    ) -> None:
        self.images = images
        self.size = cell_size(images)
        width = 2 * MARGIN + HEAD + len(columns) * (self.size[0] + 2 * FRAME + GAP) - GAP
        width = max(width, 2 * MARGIN + HEAD + 2 * ENTRY)
        lines = textwrap.wrap(title, (width - 2 * MARGIN) // LETTER)
        self.top = MARGIN + LINE * len(lines) + HEADING
        self.row = self.size[1] + 2 * FRAME + GAP
        key = Key(segments, sides=sides, sure=sure, width=width)
        bottom = self.top + self.row * len(images)
        self.sheet = Sheet(width, bottom + key.height + MARGIN)
        self.sheet.write(MARGIN, MARGIN, "\n".join(lines), va="top", size=12, weight="bold")
        self.sheet.fill(MARGIN, self.top - 9, FAINT, size=(width - 2 * MARGIN, 1))
        self.axes = self.sheet.figure.add_axes((0, 0, 1, 1), zorder=2)
        self.axes.set(xlim=(0, self.sheet.width), ylim=(self.sheet.height, 0))
        self.axes.axis("off")
        for place, name in enumerate(columns):
            middle = self._left(place) + self.size[0] / 2
            self.sheet.write(middle, self.top - 16, name, va="baseline", ha="center", size=8, color=SOFT)
        for number, text in enumerate(texts):
            wrapped = [part for line in text.splitlines() for part in textwrap.wrap(line, 16)][:8]
            y = self.top + number * self.row + 4
            self.sheet.write(MARGIN, y, "\n".join(wrapped), va="top", size=8, linespacing=1.3)
        key.draw(self.sheet, self.axes, y=bottom)

    def _left(self, column: int) -> int:
        return MARGIN + HEAD + FRAME + column * (self.size[0] + 2 * FRAME + GAP)

    def view(self, row: int, column: int, *, fade: bool) -> View:
        """A row's image as large as its cell allows; ``fade`` so that what is laid over it stands out."""
        image, (across, down) = self.images[row], self.size
        x, y = self._left(column), self.top + FRAME + row * self.row
        self.sheet.fill(x - FRAME, y - FRAME, FAINT, size=(across + 2 * FRAME, down + 2 * FRAME))
        height, width = image.shape[:2]
        scale = min(across / width, down / height)
        w, h = max(1, round(scale * width)), max(1, round(scale * height))
        picture = resized(image, (w, h)).astype(np.float32)
        return View(
            faded(picture) if fade else picture,
            x + (across - w) // 2,
            y + (down - h) // 2,
            (w / width, h / height),
        )

    def put(self, view: View) -> None:
        """The view in its place."""
        width, height = view.size
        where = np.s_[view.y : view.y + height, view.x : view.x + width]
        self.sheet.pixels[where] = np.rint(view.picture).clip(0, 255)

    def figure(self) -> Figure:
        """The page, as it is by now."""
        self.sheet.figure.figimage(self.sheet.pixels)
        return self.sheet.figure


def draw_keypoints(
    axes: Axes, keypoints: NDArray[np.floating[Any]], shape: tuple[int, ...], view: View
) -> None:
    """The keypoints (36, 3) that lie on the image of (H, W) ``shape`` which the view shows."""
    height, width = shape[:2]
    column, line = keypoints[:, 0], keypoints[:, 1]
    inside = (column >= 0) & (column < width) & (line >= 0) & (line < height)
    colours = np.repeat(list(SIDE_COLOURS.values()), len(keypoints) // 2)
    for k in np.argsort(keypoints[:, 2]):  # the surest last, on top
        if inside[k]:
            place = (view.x + keypoints[k, 0] * view.scale[0], view.y + keypoints[k, 1] * view.scale[1])
            mark(axes, place, str(colours[k]), sure=bool(keypoints[k, 2] >= SURE))


def mark(points: Axes, place: tuple[float, float], colour: str, *, sure: bool) -> None:
    """A keypoint: a disc, or a ring where it is not sure."""
    if sure:
        points.plot(*place, "o", color=colour, markersize=5.2, markeredgecolor=PAPER, markeredgewidth=0.9)
    else:
        ring: dict[str, Any] = {"markersize": 4.4, "markerfacecolor": "none"}
        points.plot(*place, "o", markeredgecolor=PAPER, markeredgewidth=2.2, alpha=0.8, **ring)
        points.plot(*place, "o", markeredgecolor=colour, markeredgewidth=1.1, **ring)


def cell_size(images: Sequence[Pixels]) -> tuple[int, int]:
    """(width, height) of cells of one area and of the images' usual shape."""
    aspect = float(np.clip(np.median([image.shape[1] / image.shape[0] for image in images]), 0.4, 2.0))
    return round(sqrt(AREA * aspect)), round(sqrt(AREA / aspect))


def resized(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """An image of (width, height) ``size``."""
    smooth = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=smooth)  # type: ignore[return-value]


def faded(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture almost without its colours, and lighter: guides stand out."""
    gray = picture.mean(2, keepdims=True)
    light: NDArray[np.float32] = 0.62 * (0.2 * picture + 0.8 * gray) + 0.38 * 255
    return light


@dataclass(frozen=True)
class Key:
    """What colours and marks mean, below the rows."""

    segments: bool
    sides: bool
    sure: bool  # rings are there
    width: int  # of the sheet

    @property
    def entries(self) -> int:
        """How many stand side by side."""
        return (self.width - 2 * MARGIN - HEAD) // ENTRY

    @property
    def marks(self) -> list[tuple[str, str, bool]]:
        """Text, colour, and whether it is a disc or a ring."""
        marks = [(f"{side} side", colour, True) for side, colour in SIDE_COLOURS.items() if self.sides]
        return marks + [(f"confidence < {SURE}", INK, False)] * self.sure

    @property
    def height(self) -> int:
        faces = len(SEGMENTS) * self.segments
        return (-(-faces // self.entries) + -(-len(self.marks) // self.entries)) * LINE + GAP

    def place(self, number: int, y: int) -> tuple[int, int]:
        """The left end and the middle of an entry."""
        down, right = divmod(number, self.entries)
        return MARGIN + HEAD + FRAME + right * ENTRY, y + GAP + down * LINE + LINE // 2

    def draw(self, sheet: Sheet, points: Axes, *, y: int) -> None:
        if self.marks:
            sheet.write(MARGIN, y + GAP + LINE / 2, "sides", va="center", size=8, color=SOFT)
            for number, (text, colour, sure) in enumerate(self.marks):
                left, middle = self.place(number, y)
                mark(points, (left + SWATCH / 2, middle), colour, sure=sure)
                sheet.write(left + SWATCH + 8, middle, text, va="center", size=8)
            y += LINE * -(-len(self.marks) // self.entries)
        if self.segments:
            sheet.write(MARGIN, y + GAP + LINE / 2, "segments", va="center", size=8, color=SOFT)
            for number, (text, colour) in enumerate(zip(SEGMENTS, SEGMENT_COLOURS, strict=True)):
                left, middle = self.place(number, y)
                sheet.fill(left, middle - SWATCH // 2, colour, size=(SWATCH, SWATCH))
                sheet.write(left + SWATCH + 8, middle, text, va="center", size=8)
