"""Turns rounded bodies in three dimensions into painted outlines, and paints those."""

from collections.abc import Sequence
from math import cos, hypot, pi, sin
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.datasets.pedestrians.people import Colour

Pixels = NDArray[np.uint8]
Outline = NDArray[np.float64]  # (n, 2) pixels
Point = tuple[float, float, float]  # x to the left of the person, y up from the ground, z forward
Paint = Colour | Pixels  # one colour, or a cloth as large as the canvas

CIRCLE = np.array([(cos(a), sin(a)) for a in np.linspace(0, 2 * pi, 14, endpoint=False)])


class Pose(NamedTuple):
    """How a person stands before the camera; pixels are those of the canvas."""

    yaw: float  # radians; 0 shows the face, pi the back
    phase: float  # radians of the gait; 2 pi is two steps
    stride: float  # radians a leg swings from the vertical
    height: float  # pixels of an average person
    feet: tuple[float, float]  # pixels
    pitch: float  # radians the camera looks down


class Part(NamedTuple):
    """One outline to paint; the deepest is painted first."""

    depth: float  # towards the camera
    outline: Outline
    paint: Paint


class View:
    """Sees a body, measured in its own heights, as a camera does from afar."""

    def __init__(self, pose: Pose, *, height: float) -> None:
        self.pose = pose
        self.unit = pose.height * height  # pixels
        self.facing = cos(pose.yaw)  # 1 from the front, -1 from the back
        self.aside = sin(pose.yaw)
        self.level, self.dip = cos(pose.pitch), sin(pose.pitch)

    def depth(self, point: Point) -> float:
        return point[2] * self.facing - point[0] * self.aside

    def pixel(self, point: Point) -> tuple[float, float]:
        across = point[0] * self.facing + point[2] * self.aside
        up = point[1] * self.level - self.depth(point) * self.dip
        return self.pose.feet[0] + self.unit * across, self.pose.feet[1] - self.unit * up

    def limb(self, a: Point, b: Point, radii: tuple[float, float], paint: Paint, *, depth: float) -> Part:
        """A capsule from ``a`` to ``b``, tapering from one radius to the other."""
        ends = [
            self.pixel(end) + CIRCLE * (radius * self.unit) for end, radius in zip((a, b), radii, strict=True)
        ]
        hull = cv2.convexHull(np.concatenate(ends).astype(np.float32))
        return Part(depth, hull[:, 0].astype(np.float64), paint)

    def trunk(self, rings: Sequence[Point], paint: Paint, *, z: float = 0.0, depth: float = 0.0) -> Part:
        """A body of elliptic rings (height, half width, half depth) around an upright axis at ``z``."""
        middle = [self.pixel((0.0, height, z)) for height, _, _ in rings]
        half = [self.unit * hypot(width * self.facing, thick * self.aside) for _, width, thick in rings]
        left = [(x - w, y) for (x, y), w in zip(middle, half, strict=True)]
        right = [(x + w, y) for (x, y), w in zip(middle, half, strict=True)]
        return Part(depth, np.array(left + right[::-1]), paint)

    def patch(self, corners: Sequence[Point], paint: Paint, *, depth: float) -> Part:
        """A flat piece: a print, a strap."""
        return Part(depth, np.array([self.pixel(corner) for corner in corners]), paint)


def shade(colour: Colour, light: float) -> Colour:
    red, green, blue = colour
    return int(red * light), int(green * light), int(blue * light)


def paint_parts(canvas: Pixels, parts: Sequence[Part]) -> None:
    """Paint from back to front onto ``canvas`` (H, W, 4), RGB and coverage, in place."""
    for part in sorted(parts, key=lambda part: part.depth):
        fill(canvas, np.rint(part.outline).astype(np.int32), part.paint)


def fill(canvas: Pixels, outline: NDArray[np.int32], paint: Paint) -> None:
    """Fill an outline with a colour, or cut it out of a cloth, and sew a darker seam around it."""
    if isinstance(paint, tuple):
        cv2.fillPoly(canvas, [outline], (*paint, 255))
        seam = paint
    else:
        mask = np.zeros(canvas.shape[:2], np.uint8)
        cv2.fillPoly(mask, [outline], 255)
        x, y, width, height = cv2.boundingRect(outline)
        box = slice(max(y, 0), max(y + height, 0)), slice(max(x, 0), max(x + width, 0))
        np.copyto(canvas[box], paint[box], where=mask[box][..., None] > 0)
        red, green, blue = (int(value) for value in paint[0, 0, :3])
        seam = red, green, blue
    cv2.polylines(canvas, [outline], True, (*shade(seam, 0.7), 255), 1)
