"""Heatmaps as PAMTRI published them, which show more than the image: brought into the image's own frame."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.loading.guides.source import HEATMAPS, Guides
from reid.loading.transforms import Pixels

PADDING = 1.25  # side of the square around the image that PoseEstNet sees, over the image's longer side


class UnsquaredGuides:
    """The image's part of heatmaps that show a square around it, 1.25 times its longer side wide.

    PAMTRI stretches the whole square over the image instead, so that heatmaps miss what they mark.
    """

    def __init__(self, guides: Guides) -> None:
        self.guides = guides
        self.channels: int = guides.channels

    def __call__(self, rows: Sequence[int], sizes: ArrayLike) -> Pixels:
        planes = self.guides(rows, sizes)
        for own, size in zip(planes, np.asarray(sizes), strict=True):
            own[:HEATMAPS] = cut_out(own[:HEATMAPS], size)
        return planes


def cut_out(planes: Pixels, size: NDArray[np.int64]) -> Pixels:
    """(C, h, w): the middle of planes, as an image of ``size`` (width, height) lies in its square."""
    height, width = planes.shape[1:]
    share = size / (PADDING * size.max())  # of the square, across and down
    places = [
        (share[axis] * ((np.arange(length) + 0.5) / length - 0.5) + 0.5) * length - 0.5
        for axis, length in enumerate((width, height))
    ]
    across, down = np.meshgrid(*(place.astype(np.float32) for place in places))
    return np.stack([cv2.remap(plane, across, down, cv2.INTER_LINEAR) for plane in planes])
