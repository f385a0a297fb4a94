"""What a network sees beside an image: a vehicle's keypoints, their heatmaps, and the faces between them."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from reid.datasets.keypoints import KEYPOINTS, SEGMENTS, SIDES
from reid.plots.sheet import FRAME, GAP, HEAD, HEADING, LETTER, LINE, MARGIN, Pixels, Sheet
from reid.plots.style import AMBER, BLUE, FAINT, INK, PAPER, SOFT, STYLE, write_png

AREA = 240 * 240  # pixels of a cell
SURE = 0.5  # confidence from which a keypoint is drawn full
SIDE_COLOURS = dict(zip(SIDES, (BLUE, AMBER), strict=True))
SEGMENT_COLOURS = (  # of one hue what mirrors each other, the left side darker
    *("#1F6FB4", "#2E9E57", "#7B4FA3"),
    *("#7FC0F0", "#93D8A4", "#C3A2E0"),
    *("#D8343F", "#F08A3C", "#F4C531", "#8A5A3B", "#19B5B0", "#E86FA8", "#9AA032"),
)
SWATCH, ENTRY = 14, 200  # pixels: a colour of the key, an entry's width
GUIDES = ("keypoints", "heatmaps", "segments")


@dataclass(frozen=True)
class GuidedImage:
    """An image as a network sees it, and what guides the network."""

    image: Pixels  # (H, W, 3) uint8 RGB
    keypoints: NDArray[np.float32] | None = None  # (36, 3) x, y in pixels of the image, and confidence
    heatmaps: NDArray[np.uint8] | None = None  # (36, H, W)
    segments: NDArray[np.uint8] | None = None  # (13, H, W)
    title: str = ""  # beside the row; its lines are kept

    def __post_init__(self) -> None:
        size = self.image.shape[:2]
        allowed = {
            "keypoints": (len(KEYPOINTS), 3),
            "heatmaps": (len(KEYPOINTS), *size),
            "segments": (len(SEGMENTS), *size),
        }
        for name, shape in allowed.items():
            value = getattr(self, name)
            if value is not None and value.shape != shape:
                raise ValueError(
                    f"{self.title}: {name} of shape {value.shape} with an image of {size}: give {shape}"
                )


@rc_context(STYLE)
def plot_guides(samples: Sequence[GuidedImage], path: Path, *, title: str) -> Path:
    """A row an image: the picture, and over it, as far as there are any, keypoints, heatmaps and segments.

    Left and right have a colour each. A keypoint of confidence below .5 is hollow, one beside the image is
    not shown; of heatmaps each side's maximum is laid over the picture.

    Raises:
        ValueError: without samples.
    """
    if not samples:
        raise ValueError("0 images to plot: give at least one")
    columns = ["image", *(name for name in GUIDES if any(getattr(s, name) is not None for s in samples))]
    size = cell_size([sample.image for sample in samples])
    width = 2 * MARGIN + HEAD + len(columns) * (size[0] + 2 * FRAME + GAP) - GAP
    width = max(width, 2 * MARGIN + HEAD + 2 * ENTRY)
    lines = textwrap.wrap(title, (width - 2 * MARGIN) // LETTER)
    top = MARGIN + LINE * len(lines) + HEADING
    row = size[1] + 2 * FRAME + GAP
    key = Key("segments" in columns, sides=len(columns) > 1 and columns != ["image", "segments"], width=width)
    sheet = Sheet(width, top + row * len(samples) + key.height + MARGIN)
    sheet.write(MARGIN, MARGIN, "\n".join(lines), va="top", size=12, weight="bold")
    sheet.fill(MARGIN, top - 9, FAINT, size=(width - 2 * MARGIN, 1))
    points = sheet.figure.add_axes((0, 0, 1, 1), zorder=2)
    points.set(xlim=(0, sheet.width), ylim=(sheet.height, 0))
    points.axis("off")
    for place, name in enumerate(columns):
        x = MARGIN + HEAD + FRAME + place * (size[0] + 2 * FRAME + GAP)
        sheet.write(x + size[0] / 2, top - 16, name, va="baseline", ha="center", size=8, color=SOFT)
        for number, sample in enumerate(samples):
            draw_view(sheet, points, sample, name, x=x, y=top + FRAME + number * row, size=size)
    for number, sample in enumerate(samples):
        lines = [part for line in sample.title.splitlines() for part in textwrap.wrap(line, 16)]
        text = "\n".join(lines[:8])
        sheet.write(MARGIN, top + number * row + 4, text, va="top", size=8, linespacing=1.3)
    key.draw(sheet, points, y=top + row * len(samples))
    sheet.figure.figimage(sheet.pixels)
    return write_png(sheet.figure, path)


def draw_view(
    sheet: Sheet, points: Axes, sample: GuidedImage, name: str, *, x: int, y: int, size: tuple[int, int]
) -> None:
    """One cell: the image as large as (width, height) allow, and one kind of guide over it."""
    sheet.fill(x - FRAME, y - FRAME, FAINT, size=(size[0] + 2 * FRAME, size[1] + 2 * FRAME))
    height, width = sample.image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    w, h = max(1, round(scale * width)), max(1, round(scale * height))
    x, y = x + (size[0] - w) // 2, y + (size[1] - h) // 2
    picture = resized(sample.image, (w, h)).astype(np.float32)
    if name != "image":
        picture = faded(picture)
        if getattr(sample, name) is None:
            sheet.write(x + w / 2, y + h / 2, "none", va="center", ha="center", size=8, color=INK)
    if name == "keypoints" and sample.keypoints is not None:
        grid = (w / width, h / height)
        draw_keypoints(points, sample.keypoints, sample.image.shape, x=x, y=y, scale=grid)
    elif name == "heatmaps" and sample.heatmaps is not None:
        half = len(KEYPOINTS) // 2
        sides = np.stack([sample.heatmaps[:half].max(0), sample.heatmaps[half:].max(0)])
        picture = painted(picture, resized_planes(sides, (w, h)), list(SIDE_COLOURS.values()), opacity=0.9)
    elif name == "segments" and sample.segments is not None:
        picture = painted(picture, resized_planes(sample.segments, (w, h)), SEGMENT_COLOURS, opacity=0.62)
    sheet.pixels[y : y + h, x : x + w] = np.rint(picture).clip(0, 255)


def draw_keypoints(
    points: Axes,
    keypoints: NDArray[np.float32],
    shape: tuple[int, ...],
    *,
    x: int,
    y: int,
    scale: tuple[float, float],
) -> None:
    """The keypoints that lie on the image of (H, W) ``shape``, whose corner is at x, y of the sheet."""
    height, width = shape[:2]
    column, line = keypoints[:, 0], keypoints[:, 1]
    inside = (column >= 0) & (column < width) & (line >= 0) & (line < height)
    colours = np.repeat(list(SIDE_COLOURS.values()), len(keypoints) // 2)
    for k in np.argsort(keypoints[:, 2]):  # the surest last, on top
        if inside[k]:
            place = (x + keypoints[k, 0] * scale[0], y + keypoints[k, 1] * scale[1])
            mark(points, place, str(colours[k]), sure=bool(keypoints[k, 2] >= SURE))


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


def resized_planes(planes: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """(N, h, w) in [0, 1] of (width, height) ``size``."""
    smooth = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in planes]
    return np.stack(smooth).astype(np.float32) / np.float32(255)


def faded(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture almost without its colours, and lighter: guides stand out."""
    gray = picture.mean(2, keepdims=True)
    light: NDArray[np.float32] = 0.62 * (0.2 * picture + 0.8 * gray) + 0.38 * 255
    return light


def painted(
    picture: NDArray[np.float32], planes: NDArray[np.float32], colours: Sequence[str], *, opacity: float
) -> NDArray[np.float32]:
    """The picture (h, w, 3) under colours, each as thick as its plane (h, w) is near 1."""
    for plane, colour in zip(planes, colours, strict=True):
        paint = 255 * np.array(to_rgb(colour), np.float32)
        thickness = opacity * plane[..., None]
        picture = (1 - thickness) * picture + thickness * paint
    return picture


@dataclass(frozen=True)
class Key:
    """What colours and marks mean, below the rows."""

    segments: bool
    sides: bool
    width: int  # of the sheet

    @property
    def entries(self) -> int:
        """How many stand side by side."""
        return (self.width - 2 * MARGIN - HEAD) // ENTRY

    @property
    def height(self) -> int:
        lines = -(-len(SEGMENTS) // self.entries) if self.segments else 0
        return (lines + (1 + 2 // self.entries) * self.sides) * LINE + GAP

    def place(self, number: int, y: int) -> tuple[int, int]:
        """The left end and the middle of an entry."""
        down, right = divmod(number, self.entries)
        return MARGIN + HEAD + FRAME + right * ENTRY, y + GAP + down * LINE + LINE // 2

    def draw(self, sheet: Sheet, points: Axes, *, y: int) -> None:
        if self.sides:
            sheet.write(MARGIN, y + GAP + LINE / 2, "sides", va="center", size=8, color=SOFT)
            marks = [(f"{side} side", colour, True) for side, colour in SIDE_COLOURS.items()]
            for number, (text, colour, sure) in enumerate([*marks, (f"confidence < {SURE}", INK, False)]):
                left, middle = self.place(number, y)
                mark(points, (left + SWATCH / 2, middle), colour, sure=sure)
                sheet.write(left + SWATCH + 8, middle, text, va="center", size=8)
            y += LINE * (1 + 2 // self.entries)
        if self.segments:
            sheet.write(MARGIN, y + GAP + LINE / 2, "segments", va="center", size=8, color=SOFT)
            for number, (text, colour) in enumerate(zip(SEGMENTS, SEGMENT_COLOURS, strict=True)):
                left, middle = self.place(number, y)
                sheet.fill(left, middle - SWATCH // 2, colour, size=(SWATCH, SWATCH))
                sheet.write(left + SWATCH + 8, middle, text, va="center", size=8)
