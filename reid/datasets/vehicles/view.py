"""A pinhole camera, and a painter that fills what it sees of flat pieces in space."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import cos, sin

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.datasets.vehicles.fleet import Colour
from reid.datasets.vehicles.models import FACES, Points, Triple

Pixels = NDArray[np.uint8]
SHARES = 4  # bits of a pixel's fraction in OpenCV's outlines


@dataclass(frozen=True)
class Pinhole:
    """Where a camera stands and looks. Pixels count from the centre of the picture's first one."""

    position: Triple  # metres
    yaw: float  # radians from x towards y, of the direction it looks to
    pitch: float  # radians it looks down
    focal: float = 1.0  # pixels
    centre: tuple[float, float] = (0.0, 0.0)  # pixels, of the optical axis

    def axes(self) -> Points:
        """(3, 3): the unit vectors to the right, down and forward of the picture."""
        level, dip = cos(self.pitch), sin(self.pitch)
        ahead, aside = cos(self.yaw), sin(self.yaw)
        return np.array(
            [[aside, -ahead, 0.0], [-dip * ahead, -dip * aside, -level], [level * ahead, level * aside, -dip]]
        )

    def project(self, points: Points) -> Points:
        """(n, 2) pixels of (n, 3) points before the camera."""
        seen = (points - self.position) @ self.axes().T
        return self.focal * seen[:, :2] / seen[:, 2:] + self.centre

    def rays(self, size: tuple[int, int]) -> NDArray[np.float64]:
        """(height, width, 3): the direction of every pixel of a picture of ``size`` = (width, height)."""
        x, y = np.meshgrid(np.arange(size[0]) - self.centre[0], np.arange(size[1]) - self.centre[1])
        picture = np.stack([x / self.focal, y / self.focal, np.ones_like(x, np.float64)], -1)
        return picture @ self.axes()

    def seen_from(self, origin: Triple, turn: float) -> "Pinhole":
        """The same camera for those who have what stands here at their ``origin``, turned by ``turn``."""
        x, y, z = self.position
        moved = (x * cos(turn) - y * sin(turn), x * sin(turn) + y * cos(turn), z)
        there = moved[0] + origin[0], moved[1] + origin[1], moved[2] + origin[2]
        return replace(self, position=there, yaw=self.yaw + turn)


def outward_normals(keypoints: Points) -> dict[str, Points]:
    """(3,) the unit normal of every face of a vehicle, away from its middle."""
    middle, normals = keypoints.mean(0), {}
    for face, corners in FACES.items():
        a, b, c, d = keypoints[list(corners)]
        normal = np.cross(c - a, d - b)
        normal /= np.linalg.norm(normal)
        normals[face] = normal if normal @ ((a + b + c + d) / 4 - middle) > 0 else -normal
    return normals


class Painter:
    """Paints a vehicle's faces on a canvas (H, W, 4), uint8 RGB and coverage, ``finer`` times the picture."""

    def __init__(self, canvas: Pixels, keypoints: Points, eye: Pinhole, *, sun: Triple, finer: int) -> None:
        self.canvas, self.keypoints, self.eye, self.finer = canvas, keypoints, eye, finer
        self.sun = np.array(sun)
        self.normals = outward_normals(keypoints)
        self.facing = {
            face: bool(normal @ (np.array(eye.position) - keypoints[list(FACES[face])].mean(0)) > 0)
            for face, normal in self.normals.items()
        }

    def on(self, face: str, places: Sequence[tuple[float, float]] | Points) -> Points:
        """(n, 3) points of a face, by shares of its length and height."""
        a, b, c, d = self.keypoints[list(FACES[face])]
        u, v = np.array(places, np.float64).T[..., None]
        points: Points = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)
        return points

    def measure(self, face: str) -> tuple[float, float]:
        """Metres along and up a face."""
        a, b, c, d = self.keypoints[list(FACES[face])]
        return float(np.linalg.norm(b + c - a - d)) / 2, float(np.linalg.norm(c + d - a - b)) / 2

    def light(self, colour: Colour, normal: Points, *, gloss: float = 14.0) -> Colour:
        """A colour under the sky and the sun, on a surface of that unit normal."""
        shine = 0.62 + 0.14 * normal[2] + 0.42 * max(0.0, float(normal @ self.sun))
        red, green, blue = (min(255, int(c * shine + gloss * max(0.0, normal[2]))) for c in colour)
        return red, green, blue

    def fill(self, points: Points, colour: Colour) -> None:
        """Fill what lies between (n, 3) points with a colour as it is."""
        pixels = self.eye.project(points) * self.finer + (self.finer - 1) / 2
        outline = np.rint(pixels * 2**SHARES).astype(np.int32)
        cv2.fillPoly(self.canvas, [outline], (*colour, 255), cv2.LINE_8, SHARES)

    def patch(
        self, face: str, places: Sequence[tuple[float, float]] | Points, colour: Colour, **light: float
    ) -> None:
        """Fill a piece of a face, lit as the face is."""
        self.fill(self.on(face, places), self.light(colour, self.normals[face], **light))

    def bar(
        self, face: str, across: tuple[float, float], up: tuple[float, float], colour: Colour, **light: float
    ) -> None:
        """Fill a rectangle of a face, given from and to of both shares."""
        (left, right), (low, high) = across, up
        self.patch(face, [(left, low), (right, low), (right, high), (left, high)], colour, **light)

    def hull(self, points: Points, colour: Colour) -> None:
        """Fill the convex outline of (n, 3) points."""
        pixels = self.eye.project(points) * self.finer + (self.finer - 1) / 2
        outline = cv2.convexHull(np.rint(pixels * 2**SHARES).astype(np.int32))
        cv2.fillPoly(self.canvas, [outline], (*colour, 255), cv2.LINE_8, SHARES)
