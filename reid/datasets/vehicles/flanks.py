"""The sides of a vehicle up to the belt: bands of light, doors, a truck's box, wheels in their arches."""

from collections.abc import Sequence
from math import cos, pi, sin

import numpy as np

from reid.datasets.keypoints import SIDES
from reid.datasets.vehicles.details import CARGO, CHROME, CLADDING, DARK, LINER, draw_decals, tone
from reid.datasets.vehicles.ends import LAMP, TAIL, TAILS
from reid.datasets.vehicles.fleet import Colour, Vehicle
from reid.datasets.vehicles.models import ARCH, FACES, Points
from reid.datasets.vehicles.view import Painter

RUBBER: Colour = (34, 34, 36)
CIRCLE = np.array(
    [(cos(a), sin(a)) for a in np.linspace(-pi / 2, 3 * pi / 2, 24, endpoint=False)]
)  # from below
FLANK = ("rear quarter", "side", "front fender")
TRIMS: dict[str, tuple[float, float, Colour]] = {  # along the sill of every vehicle of a type: from, to
    "suv": (-1, 0.3, CLADDING),
    "van": (-1, 0.3, CLADDING),
    "estate": (-1, 0.34, CHROME),
}
BANDS = ((-1, 0.14, 0.80), (0.14, 0.5, 0.93), (0.5, 0.56, 0.86), (0.56, 0.88, 1.03), (0.88, 3, 1.15))


class Flank:
    """One side's faces that are turned to the camera.

    Heights on it are shares of that from the sill (0) to the windscreen's lower corner (1).
    """

    def __init__(self, painter: Painter, side: str) -> None:
        self.painter, self.side = painter, side
        self.quarter, self.middle, self.fender = faces = [f"{side} {part}" for part in FLANK]
        self.faces = [face for face in faces if painter.facing[face]]
        self.keypoints = painter.keypoints[18 * SIDES.index(side) :][:18]
        self.sill, self.belt = self.keypoints[5, 2], self.keypoints[15, 2]

    def light(self, colour: Colour) -> Colour:
        """A colour as the doors show it."""
        return self.painter.light(colour, self.painter.normals[f"{self.side} side"])

    def band(self, low: float, high: float, colour: Colour) -> None:
        """Fill what lies between two heights, from end to end."""
        between = [self.sill + share * (self.belt - self.sill) for share in (low, high)]
        for face in self.faces:
            corners = clip(list(self.painter.keypoints[list(FACES[face])]), *between)
            if len(corners) > 2:
                self.painter.fill(np.array(corners), self.light(colour))

    def block(self, x: tuple[float, float], up: tuple[float, float], colour: Colour) -> None:
        """Fill a rectangle, from and to in metres along the side and in shares of its height."""
        inner, outer = self.keypoints[15, 1], self.keypoints[5, 1]
        low, high = (
            (outer + share * (inner - outer), self.sill + share * (self.belt - self.sill)) for share in up
        )
        corners = [(x[0], *low), (x[1], *low), (x[1], *high), (x[0], *high)]
        self.painter.fill(np.array(corners), self.light(colour))


def clip(corners: Sequence[Points], low: float, high: float) -> list[Points]:
    """The part of a convex outline whose z lies between two heights."""
    for bound, sign in ((low, 1), (high, -1)):
        kept: list[Points] = []
        for a, b in zip(corners, [*corners[1:], *corners[:1]], strict=True):
            above, beyond = sign * (a[2] - bound), sign * (b[2] - bound)
            if above >= 0:
                kept.append(a)
            if above * beyond < 0:
                kept.append(a + (b - a) * (above / (above - beyond)))
        corners = kept
    return list(corners)


def draw_flank(painter: Painter, vehicle: Vehicle, side: str) -> None:
    """All of one side that can be seen: from ahead a fender, for it is narrower in front."""
    flank = Flank(painter, side)
    for low, high, shine in BANDS:
        flank.band(low, high, tone(vehicle.paint, shine))
    trim = TRIMS.get(vehicle.kind)
    if trim is None:
        flank.band(-1, 0.12, CLADDING if vehicle.bumper == vehicle.paint else tone(vehicle.bumper, 0.8))
    else:
        flank.band(*trim)
    if vehicle.stripe is not None:
        flank.band(*vehicle.stripe)
    if flank.middle in flank.faces:
        draw_middle = {"truck": draw_box, "bus": draw_bus_doors}.get(vehicle.kind, draw_doors)
        draw_middle(flank, vehicle)
    for face in flank.faces:
        draw_decals(painter, vehicle, face)
    if flank.fender in flank.faces:
        painter.bar(flank.fender, (0.84, 1), (0.62, 0.92), LAMP)  # the lamps reach around the corners
    if flank.quarter in flank.faces:
        painter.bar(flank.quarter, (0, 0.16), TAILS[vehicle.kind].up, TAIL)
    if flank.middle in flank.faces:
        for axle in (0, 1):
            draw_wheel(painter, vehicle, side, axle)


def draw_doors(flank: Flank, vehicle: Vehicle) -> None:
    """The joints between doors, and their handles."""
    rear, front = flank.keypoints[6, 0], flank.keypoints[15, 0] - 0.14
    middle = (rear + front) / 2 - 0.06
    if vehicle.kind == "pickup":
        edges = [front, flank.keypoints[12, 0]]
        flank.block((flank.keypoints[10, 0], edges[1]), (0, 1), LINER)
    else:
        edges = [front, rear + 0.2] if vehicle.kind == "hatchback" else [front, middle, rear]
    seam, handle = tone(vehicle.paint, 0.45), tone(vehicle.paint, 0.5)
    for x in edges:
        flank.block((x - 0.015, x + 0.015), (0.34 if x == rear else 0.12, 1), seam)
    for x in edges[1:]:
        flank.block((x + 0.08, x + 0.28), (0.76, 0.83), handle)


def draw_box(flank: Flank, vehicle: Vehicle) -> None:
    """The lower part of a truck's box, and the chassis that carries it."""
    rear, front = flank.keypoints[10, 0], flank.keypoints[17, 0]
    end = rear + CARGO * (front - rear)
    flank.block((rear, end), (0, 0.5), (52, 52, 56))
    flank.band(0.5, 0.54, (150, 150, 150))
    flank.block((rear, end), (0.54, 1.0), vehicle.cargo)
    flank.block((end, end + 0.13), (0, 1.05), DARK)
    flank.block((end + 0.13, front - 0.1), (0.5, 0.54), tone(vehicle.paint, 0.93))
    flank.block((end + 0.42, end + 0.62), (0.8, 0.86), tone(vehicle.paint, 0.5))


def draw_bus_doors(flank: Flank, vehicle: Vehicle) -> None:
    """Doors of glass on the right, flaps on the left."""
    if flank.side == "right":
        for x in (-0.6, 0.1, 3.3, 3.9):
            flank.block((x, x + 0.56), (0.08, 0.98), tone(vehicle.tint, 1.5))
    else:
        for x in (-3.9, -1.2, 0.2, 3.6):
            flank.block((x, x + 0.03), (0.05, 0.5), tone(vehicle.paint, 0.6))


def wheel_ring(
    painter: Painter, vehicle: Vehicle, side: str, axle: int, *, share: float, depth: float
) -> Points:
    """(24, 3) points around a wheel's axle, ``depth`` metres inwards, at a share of its radius."""
    x, y, z = painter.keypoints[axle + 18 * SIDES.index(side)]
    radius, inwards = vehicle.wheel * share, y - np.sign(y) * depth
    return np.column_stack([x + radius * CIRCLE[:, 0], np.full(24, inwards), z + radius * CIRCLE[:, 1]])


def draw_tyre(painter: Painter, vehicle: Vehicle, side: str, axle: int) -> None:
    """The tread between a wheel's two faces; the body hides most of it."""
    rings = [wheel_ring(painter, vehicle, side, axle, share=1, depth=depth) for depth in (0.02, 0.26)]
    painter.hull(np.concatenate(rings), RUBBER)


def draw_wheel(painter: Painter, vehicle: Vehicle, side: str, axle: int) -> None:
    """The dark arch, and in it the tyre and the rim."""
    first = 18 * SIDES.index(side) + (6 if axle == 0 else 2)
    front, rear = painter.keypoints[first], painter.keypoints[first + 3]
    if vehicle.kind == "suv":
        edge = wheel_ring(painter, vehicle, side, axle, share=ARCH + 0.2, depth=0)
        painter.fill(edge[edge[:, 2] > front[2]], CLADDING)
    arc = wheel_ring(painter, vehicle, side, axle, share=ARCH, depth=0)
    painter.fill(np.concatenate([[front], arc[arc[:, 2] > front[2]], [rear]]), DARK)

    def disc(share: float, colour: Colour) -> None:
        painter.fill(wheel_ring(painter, vehicle, side, axle, share=share, depth=0.01), colour)

    normal = painter.normals[f"{side} side"]
    rim = painter.light(vehicle.rim_colour, normal)
    disc(1.0, RUBBER)
    disc(0.7, rim)
    ring = wheel_ring(painter, vehicle, side, axle, share=0.62, depth=0.01)
    hub = wheel_ring(painter, vehicle, side, axle, share=0.2, depth=0.01)
    if vehicle.rim in ("spokes", "star"):
        step, width = (4, 2) if vehicle.rim == "spokes" else (8, 5)
        for start in range(0, 24, step):
            gap = [(start + turn) % 24 for turn in range(width + 1)]
            painter.fill(np.concatenate([ring[gap], hub[[gap[-1], gap[0]]]]), DARK)
    elif vehicle.rim == "holes":
        for start in range(0, 24, 4):
            middle = 0.6 * ring[start] + 0.4 * hub[start]
            painter.fill(middle + 0.18 * (ring - ring.mean(0)), DARK)
    disc(0.16, painter.light((110, 110, 112), normal))
