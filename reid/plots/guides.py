"""What a network sees beside an image: a vehicle's keypoints, their heatmaps, and the faces between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from reid.datasets.keypoints import KEYPOINTS, SEGMENTS
from reid.plots.sheet import Pixels
from reid.plots.style import INK, STYLE, write_png
from reid.plots.vehicles import SEGMENT_COLOURS, SIDE_COLOURS, Page, View, draw_keypoints

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
    page = Page(
        [sample.image for sample in samples],
        [sample.title for sample in samples],
        columns,
        title=title,
        segments="segments" in columns,
        sides=not {"keypoints", "heatmaps"}.isdisjoint(columns),
        sure="keypoints" in columns,
    )
    for place, name in enumerate(columns):
        for number, sample in enumerate(samples):
            page.put(guided(page, page.view(number, place, fade=name != "image"), sample, name))
    return write_png(page.figure(), path)


def guided(page: Page, view: View, sample: GuidedImage, name: str) -> View:
    """The view with one kind of guide over it."""
    if name != "image" and getattr(sample, name) is None:
        width, height = view.size
        page.sheet.write(
            view.x + width / 2, view.y + height / 2, "none", va="center", ha="center", size=8, color=INK
        )
    if name == "keypoints" and sample.keypoints is not None:
        draw_keypoints(page.axes, sample.keypoints, sample.image.shape, view)
    elif name == "heatmaps" and sample.heatmaps is not None:
        half = len(KEYPOINTS) // 2
        sides = np.stack([sample.heatmaps[:half].max(0), sample.heatmaps[half:].max(0)])
        return painted(view, sides, list(SIDE_COLOURS.values()), opacity=0.9)
    elif name == "segments" and sample.segments is not None:
        return painted(view, sample.segments, SEGMENT_COLOURS, opacity=0.62)
    return view


def painted(view: View, planes: NDArray[np.uint8], colours: Sequence[str], *, opacity: float) -> View:
    """The view under colours, each as thick as its plane (H, W) is bright."""
    picture = view.picture
    for plane, colour in zip(planes, colours, strict=True):
        paint = 255 * np.array(to_rgb(colour), np.float32)
        smooth = cv2.resize(plane, view.size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
        thickness = opacity * (smooth / np.float32(255))[..., None]
        picture = (1 - thickness) * picture + thickness * paint
    return view._replace(picture=picture)
