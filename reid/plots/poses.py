"""Keypoints and the vehicle's edges between them over pictures: what is marked, and what was found."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray

from reid.datasets.keypoints import KEYPOINTS, SEGMENTS
from reid.plots.guides import SIDE_COLOURS, Key, cell_size, draw_keypoints, faded, resized
from reid.plots.sheet import FRAME, GAP, HEAD, HEADING, LETTER, LINE, MARGIN, Pixels, Sheet, read_rgb
from reid.plots.style import FAINT, PAPER, ROSE, SOFT, STYLE, write_png

COLUMNS = ("image", "marked", "found")
EDGES = sorted(
    {
        (min(a, b), max(a, b))
        for corners in SEGMENTS.values()
        for a, b in zip(corners, (*corners[1:], corners[0]), strict=True)
    }
)
HALF = len(KEYPOINTS) // 2


@dataclass(frozen=True)
class PosedImage:
    """A picture, and its keypoints twice."""

    path: Path
    true: NDArray[np.float64]  # (36, 3) x, y in pixels of the picture, and visibility
    found: NDArray[np.float64]  # (36, 3) and confidence
    title: str = ""  # beside the row; its lines are kept


@rc_context(STYLE)
def plot_poses(samples: Sequence[PosedImage], path: Path, *, title: str) -> Path:
    """A row a picture: as it is, with what is marked in it, and with what was found.

    Left and right have a colour each. Hollow are marked keypoints that are hidden, and found ones
    of confidence below .5. Only edges between two full keypoints are drawn. A thin line leads from what
    was found to what is marked, where that is visible.

    Raises:
        ValueError: without samples.
    """
    if not samples:
        raise ValueError("0 pictures to plot: give at least one")
    images = [read_rgb(sample.path) for sample in samples]
    whole = [image if image is not None else np.full((64, 64, 3), 200, np.uint8) for image in images]
    size = cell_size(whole)
    width = 2 * MARGIN + HEAD + len(COLUMNS) * (size[0] + 2 * FRAME + GAP) - GAP
    lines = textwrap.wrap(title, (width - 2 * MARGIN) // LETTER)
    top = MARGIN + LINE * len(lines) + HEADING
    row = size[1] + 2 * FRAME + GAP
    key = Key(segments=False, sides=True, width=width)
    sheet = Sheet(width, top + row * len(samples) + key.height + MARGIN)
    sheet.write(MARGIN, MARGIN, "\n".join(lines), va="top", size=12, weight="bold")
    sheet.fill(MARGIN, top - 9, FAINT, size=(width - 2 * MARGIN, 1))
    axes = sheet.figure.add_axes((0, 0, 1, 1), zorder=2)
    axes.set(xlim=(0, sheet.width), ylim=(sheet.height, 0))
    axes.axis("off")
    for place, name in enumerate(COLUMNS):
        x = MARGIN + HEAD + FRAME + place * (size[0] + 2 * FRAME + GAP)
        sheet.write(x + size[0] / 2, top - 16, name, va="baseline", ha="center", size=8, color=SOFT)
        for number, (sample, image) in enumerate(zip(samples, whole, strict=True)):
            draw_view(sheet, axes, sample, image, name, x=x, y=top + FRAME + number * row, size=size)
    for number, sample in enumerate(samples):
        words = [part for line in sample.title.splitlines() for part in textwrap.wrap(line, 16)]
        text = "\n".join(words[:8])
        sheet.write(MARGIN, top + number * row + 4, text, va="top", size=8, linespacing=1.3)
    key.draw(sheet, axes, y=top + row * len(samples))
    sheet.figure.figimage(sheet.pixels)
    return write_png(sheet.figure, path)


def draw_view(
    sheet: Sheet,
    axes: Axes,
    sample: PosedImage,
    image: Pixels,
    name: str,
    *,
    x: int,
    y: int,
    size: tuple[int, int],
) -> None:
    """One cell: the picture as large as (width, height) allow, and one set of keypoints over it."""
    sheet.fill(x - FRAME, y - FRAME, FAINT, size=(size[0] + 2 * FRAME, size[1] + 2 * FRAME))
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    w, h = max(1, round(scale * width)), max(1, round(scale * height))
    x, y = x + (size[0] - w) // 2, y + (size[1] - h) // 2
    picture = resized(image, (w, h)).astype(np.float32)
    if name != "image":
        picture = faded(picture)
        grid = (w / width, h / height)
        keypoints = sample.true if name == "marked" else sample.found
        draw_edges(axes, keypoints, x=x, y=y, scale=grid)
        if name == "found":
            draw_errors(axes, sample, x=x, y=y, scale=grid)
        draw_keypoints(axes, keypoints.astype(np.float32), image.shape, x=x, y=y, scale=grid)
    sheet.pixels[y : y + h, x : x + w] = np.rint(picture).clip(0, 255)


def draw_edges(
    axes: Axes, keypoints: NDArray[np.float64], *, x: int, y: int, scale: tuple[float, float]
) -> None:
    """Lines around the faces, of the colour of the side that both ends lie on."""
    left, right = SIDE_COLOURS.values()
    for a, b in EDGES:
        if min(keypoints[a, 2], keypoints[b, 2]) < 0.5:
            continue
        colour = left if b < HALF else right if a >= HALF else SOFT
        across = [x + scale[0] * keypoints[k, 0] for k in (a, b)]
        down = [y + scale[1] * keypoints[k, 1] for k in (a, b)]
        axes.plot(across, down, "-", color=PAPER, linewidth=2.6, alpha=0.7, zorder=1.6)
        axes.plot(across, down, "-", color=colour, linewidth=1.3, zorder=1.7)


def draw_errors(axes: Axes, sample: PosedImage, *, x: int, y: int, scale: tuple[float, float]) -> None:
    """A line from each keypoint that was found to where it is, if that is visible."""
    for found, true in zip(sample.found, sample.true, strict=True):
        if true[2] > 0:
            across = [x + scale[0] * point[0] for point in (found, true)]
            down = [y + scale[1] * point[1] for point in (found, true)]
            axes.plot(across, down, "-", color=ROSE, linewidth=0.9, zorder=1.8)
