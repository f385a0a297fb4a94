"""Guides drawn from keypoints while a batch is loaded: no file at all."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from reid.datasets.records import Record
from reid.loading.guides.source import (
    CORNERS,
    HEATMAPS,
    SIDE,
    count_channels,
    seen_segments,
    stack_keypoints,
)
from reid.loading.transforms import Pixels

SIGMA = 2.0  # pixels of a plane
RADIUS = 6  # of the window that a Gaussian is drawn in
WINDOW = 2 * RADIUS + 1
FRACTION = 8  # binary digits of a corner behind the point
FAR = 2.0**15  # pixels of a plane: beyond it corners overflow cv2's integers


class DrawnGuides:
    """Heat maps are Gaussians at the keypoints, segments the quadrilaterals between them.

    A Gaussian has a deviation of 2 pixels of the plane within a window of 6 around the pixel nearest to its
    centre, and the keypoint's confidence, at most 1, for a peak (recipe of PAMTRI's PoseEstNet, Tang et al.,
    ICCV 2019, whose targets are centred on whole pixels). A quadrilateral that is not strictly convex is
    black. Both are in the image's own frame: x of an image of width w is drawn at 64 x / w - 1/2, in
    indices of columns.

    Args:
        records: with keypoints.
        heatmap: draw the 36 heat maps.
        segment: draw the 13 segments.
        confidence: of all four keypoints of a segment that is seen; 0 shows all.

    Raises:
        ValueError: nothing to draw, or records without keypoints.
    """

    def __init__(
        self, records: Sequence[Record], *, heatmap: bool, segment: bool, confidence: float = 0.5
    ) -> None:
        self.channels = count_channels(heatmap=heatmap, segment=segment)
        self.heatmap, self.segment = heatmap, segment
        self.keypoints = stack_keypoints(records, remedy="or set data.guides=files or data.guides=pack")
        if segment:
            self.shown = seen_segments(records, confidence=confidence)
            self.shown &= convex(self.keypoints[:, CORNERS, :2])

    def __call__(self, rows: Sequence[int], sizes: ArrayLike) -> Pixels:
        """Rows, and (n, 2) width and height of their images in pixels, -> (n, channels, 64, 64)."""
        planes = np.zeros((len(rows), self.channels, SIDE, SIDE), np.uint8)
        chosen = np.asarray(rows, np.intp)
        points = self.keypoints[chosen]
        scales = (SIDE / np.asarray(sizes, np.float64)).astype(np.float32)
        places = points[..., :2] * scales[:, None] - np.float32(0.5)
        if self.heatmap:
            heatmaps = planes if not self.segment else planes[:, :HEATMAPS]
            draw_gaussians(heatmaps, places, peaks=points[..., 2])
        if self.segment:
            segments = planes[:, HEATMAPS * self.heatmap :]
            fill_quadrilaterals(segments, places[:, CORNERS], shown=self.shown[chosen])
        return planes


def draw_gaussians(planes: Pixels, places: NDArray[np.float32], *, peaks: NDArray[np.float32]) -> None:
    """One Gaussian a plane, on black.

    A window that leaves the plane is moved back into it, and what lies farther than the radius is 0: so all
    windows have one shape, and all planes are written at once.

    Args:
        planes: (n, k, 64, 64), black.
        places: (n, k, 2) of the centres, in pixels of the plane; may leave it.
        peaks: (n, k) confidence, clipped to [0, 1].
    """
    n, k = planes.shape[:2]
    centres = np.clip(places, -SIDE, 2 * SIDE).reshape(n * k, 2).T  # (2, nk)
    nearest = np.floor(centres + np.float32(0.5))
    starts = np.clip(nearest - RADIUS, 0, SIDE - WINDOW)
    pixels = starts + np.arange(WINDOW, dtype=np.float32)[:, None, None]  # (13, 2, nk)
    waves = np.exp((pixels - centres) ** 2 * np.float32(-0.5 / SIGMA**2))
    waves[np.abs(pixels - nearest) > RADIUS] = 0
    across, down = waves[:, 0], waves[:, 1] * (np.clip(peaks, 0, 1).reshape(-1) * np.float32(255))
    drawn = (down[:, None] * across + np.float32(0.5)).astype(np.uint8)  # (13, 13, nk), rounded
    windows = sliding_window_view(planes, (WINDOW, WINDOW), axis=(2, 3), writeable=True)  # type: ignore[call-overload]
    picture, plane = np.divmod(np.arange(n * k), k)
    left, top = starts.astype(np.intp)
    windows[picture, plane, top, left] = drawn.transpose(2, 0, 1)


def fill_quadrilaterals(planes: Pixels, corners: NDArray[np.float32], *, shown: NDArray[np.bool_]) -> None:
    """White quadrilaterals, their outlines included, on black.

    Args:
        planes: (n, 13, 64, 64), black.
        corners: (n, 13, 4, 2) around each, in pixels of the plane; may leave it.
        shown: (n, 13) which to fill.
    """
    fixed = np.rint(np.clip(corners[shown], -FAR, FAR) * 2**FRACTION).astype(np.int32)
    for (picture, plane), corner in zip(np.argwhere(shown).tolist(), fixed, strict=True):
        cv2.fillConvexPoly(planes[picture, plane], corner, 255, cv2.LINE_8, FRACTION)


def convex(corners: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(..., 4, 2) -> (...): whether quadrilaterals turn the same way at each corner, and turn at all."""
    edges = np.roll(corners, -1, -2).astype(np.float64) - corners
    after = np.roll(edges, -1, -2)
    turns = edges[..., 0] * after[..., 1] - edges[..., 1] * after[..., 0]  # (..., 4)
    same: NDArray[np.bool_] = np.all(turns > 0, axis=-1) | np.all(turns < 0, axis=-1)
    return same
