"""Keypoints and the vehicle's edges between them over pictures: what is marked, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from numpy.typing import NDArray

from reid.datasets.keypoints import KEYPOINTS, SEGMENTS
from reid.plots.sheet import read_rgb
from reid.plots.style import PAPER, ROSE, SOFT, STYLE, write_png
from reid.plots.vehicles import SIDE_COLOURS, Page, View, draw_keypoints

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
    page = Page(
        [image if image is not None else np.full((64, 64, 3), 200, np.uint8) for image in images],
        [sample.title for sample in samples],
        COLUMNS,
        title=title,
        segments=False,
        sides=True,
        sure=True,
    )
    for place, name in enumerate(COLUMNS):
        for number, sample in enumerate(samples):
            view = page.view(number, place, fade=name != "image")
            if name != "image":
                keypoints = sample.true if name == "marked" else sample.found
                draw_edges(page.axes, keypoints, view)
                if name == "found":
                    draw_errors(page.axes, sample, view)
                draw_keypoints(page.axes, keypoints, page.images[number].shape, view)
            page.put(view)
    return write_png(page.figure(), path)


def draw_edges(axes: Axes, keypoints: NDArray[np.float64], view: View) -> None:
    """Lines around the faces, of the colour of the side that both ends lie on."""
    left, right = SIDE_COLOURS.values()
    for a, b in EDGES:
        if min(keypoints[a, 2], keypoints[b, 2]) < 0.5:
            continue
        colour = left if b < HALF else right if a >= HALF else SOFT
        across = [view.x + view.scale[0] * keypoints[k, 0] for k in (a, b)]
        down = [view.y + view.scale[1] * keypoints[k, 1] for k in (a, b)]
        axes.plot(across, down, "-", color=PAPER, linewidth=2.6, alpha=0.7, zorder=1.6)
        axes.plot(across, down, "-", color=colour, linewidth=1.3, zorder=1.7)


def draw_errors(axes: Axes, sample: PosedImage, view: View) -> None:
    """A line from each keypoint that was found to where it is, if that is visible."""
    for found, true in zip(sample.found, sample.true, strict=True):
        if true[2] > 0:
            across = [view.x + view.scale[0] * point[0] for point in (found, true)]
            down = [view.y + view.scale[1] * point[1] for point in (found, true)]
            axes.plot(across, down, "-", color=ROSE, linewidth=0.9, zorder=1.8)
