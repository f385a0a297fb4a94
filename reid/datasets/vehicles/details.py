"""What is on a vehicle's faces: windows, a bed, a box above the belt, and the decals."""

from itertools import pairwise
from math import cos, pi, sin

import numpy as np

from reid.datasets.keypoints import SIDES
from reid.datasets.vehicles.fleet import Colour, Vehicle
from reid.datasets.vehicles.view import Painter

DARK: Colour = (22, 22, 24)
CHROME: Colour = (212, 214, 218)
CLADDING: Colour = (40, 40, 43)
LINER: Colour = (58, 58, 61)  # a pickup's bed
CARGO = 0.745  # where a truck's box ends, as a share of its length from the rear


def tone(colour: Colour, share: float) -> Colour:
    """A colour made darker, or lighter."""
    red, green, blue = (min(255, int(value * share)) for value in colour)
    return red, green, blue


SIDE_POSTS = {  # before each window and after the last, as shares from the rear
    "sedan": (0.14, 0.55, 0.98),
    "suv": (0.08, 0.42, 0.74, 0.98),
    "van": (0.72, 0.98),  # the rest is load
    "hatchback": (0.44, 0.98),  # one, before a thick post
    "mpv": (0.06, 0.52, 0.99),
    "pickup": (0.1, 0.53, 0.98),
    "estate": (0.05, 0.42, 0.69, 0.98),
}


def draw_windows(painter: Painter, vehicle: Vehicle, face: str) -> None:
    """One upright face of the greenhouse: glass in a frame, or a truck's box."""
    painter.bar(face, (0, 1), (0, 1), vehicle.paint)
    if face == "windscreen":
        draw_screen(painter, vehicle, face)
    elif face != "rear window":
        draw_side_windows(painter, vehicle, face)
    elif vehicle.kind == "truck":
        painter.bar(face, (0, 1), (0, 1), vehicle.cargo)
        for u in (0.0, 0.48, 0.95):
            painter.bar(face, (u, u + 0.05), (0, 1), DARK)
        painter.bar(face, (0, 1), (0.93, 1), DARK)
        painter.bar(face, (0.42, 0.58), (0.18, 0.24), DARK)
    elif vehicle.kind == "van":
        for u in (0.12, 0.56):  # two doors
            glaze(painter, vehicle, face, (u, u + 0.32), (0.42, 0.86))
        painter.bar(face, (0.485, 0.515), (0, 1), tone(vehicle.paint, 0.4))
    else:
        draw_screen(painter, vehicle, face)


def draw_screen(painter: Painter, vehicle: Vehicle, face: str) -> None:
    """The glass in front or behind; a bus says above it where it goes."""
    if vehicle.kind != "bus":
        glaze(painter, vehicle, face, (0.06, 0.94), (0.05, 0.93))
        return
    glaze(painter, vehicle, face, (0.06, 0.94), (0.02, 0.8))
    painter.bar(face, (0.15, 0.85), (0.84, 0.97), DARK)
    painter.bar(face, (0.2, 0.4 + 0.1 * vehicle.grille), (0.87, 0.94), (236, 150, 40))


def draw_side_windows(painter: Painter, vehicle: Vehicle, face: str) -> None:
    """Windows between posts, as many as the type has; a truck's box behind its cab."""
    kind, gap, up = vehicle.kind, 0.025, (0.06, 0.88)
    if kind == "bus":
        posts, gap, up = tuple(np.linspace(0.01, 1, 8)), 0.02, (0.1, 0.84)
    elif kind == "truck":
        painter.bar(face, (0, CARGO), (0, 1), vehicle.cargo)
        for u in np.arange(1, 8) * CARGO / 8:
            painter.bar(face, (u, u + 0.006), (0, 1), tone(vehicle.cargo, 0.82))
        painter.bar(face, (0, CARGO), (0.93, 1), DARK)
        painter.bar(face, (0, 0.025), (0, 1), DARK)
        painter.bar(face, (CARGO, CARGO + 0.025), (0, 1), DARK)
        posts, gap, up = (CARGO + 0.08, 0.965), 0.0, (0.06, 0.6)
    else:
        posts = SIDE_POSTS[kind]
        if kind in ("suv", "mpv"):
            painter.bar(face, (0.05, 1), (0, 0.92), DARK)  # their posts are black
        elif kind == "estate":
            painter.bar(face, (posts[0] - 0.03, 1), (0, 0.96), CHROME)
    for start, end in pairwise(posts):
        glaze(painter, vehicle, face, (start, end - gap), up)


def glaze(
    painter: Painter, vehicle: Vehicle, face: str, across: tuple[float, float], up: tuple[float, float]
) -> None:
    """A window: tinted, lighter where it mirrors the sky."""
    (left, right), (low, high) = across, up
    steps = np.linspace(0, 1, 5)
    for a, b in pairwise(steps):
        sheen = 1 + 0.9 * a
        rows = (low + a * (high - low), low + b * (high - low))
        painter.bar(face, across, rows, tone(vehicle.tint, sheen), gloss=30)
    span = right - left
    streak = [(left + span * u, v) for u, v in ((0.18, low), (0.36, low), (0.6, high), (0.42, high))]
    painter.patch(face, streak, tone(vehicle.tint, 2.3), gloss=30)


def draw_bed(painter: Painter, vehicle: Vehicle) -> None:
    """The open bed: its floor, and the inner walls that are turned to the camera."""
    painter.bar("trunk lid", (0, 1), (0, 1), LINER)
    corners = painter.on("trunk lid", [(0.06, 0.04), (0.94, 0.04), (0.94, 0.98), (0.06, 0.98)])
    painter.fill(corners, painter.light((96, 96, 98), np.array((0.0, 0.0, 1.0)), gloss=0))
    down = np.array((0.0, 0.0, -0.46))
    rear_left, rear_right, front_right, front_left = corners
    walls = (
        ("left side", rear_right, front_right),
        ("right side", rear_left, front_left),
        ("rear", front_left, front_right),
        ("front", rear_left, rear_right),
    )
    for seen_with, a, b in walls:
        if painter.facing[seen_with]:
            shade = tone(LINER, 0.62 if seen_with in ("rear", "front") else 0.5)
            painter.fill(np.array([a, b, b + down, a + down]), shade)


def draw_decals(painter: Painter, vehicle: Vehicle, face: str) -> None:
    """Whatever sticks to a face."""
    for decal in vehicle.decals:
        if decal.face != face:
            continue
        length, height = painter.measure(face)
        width = min(decal.size[0] / length, 0.7) / 2
        tall = min(decal.size[1] / height, 0.55) / 2
        for outline in DECAL_OUTLINES[decal.shape]:
            mirrored = -1 if face.startswith(SIDES[0]) else 1  # letters read from left to right
            places = [
                (decal.centre[0] + mirrored * width * x, decal.centre[1] + tall * y) for x, y in outline
            ]
            painter.patch(face, places, decal.colour)


Outline = tuple[tuple[float, float], ...]
SQUARE: Outline = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def box(left: float, low: float, right: float, high: float) -> Outline:
    return ((left, low), (right, low), (right, high), (left, high))


DECAL_OUTLINES: dict[str, tuple[Outline, ...]] = {  # in -1..1
    "block": (SQUARE,),
    "disc": (tuple((0.7 * cos(a), sin(a)) for a in np.linspace(0, 2 * pi, 20, endpoint=False)),),
    "triangle": (((-1, -1), (1, -1), (0, 1)),),
    "bars": (box(-1, -1, 1, -0.5), box(-1, -0.2, 1, 0.3), box(-1, 0.6, 1, 1)),
    "diamond": (((-1, 0), (0, -1), (1, 0), (0, 1)),),
    "letters": (
        box(-1, -1, -0.8, 1), box(-1, -1, -0.5, -0.6), box(-0.3, -1, -0.1, 1), box(-0.3, 0.6, 0.2, 1),
        box(0.4, -1, 0.6, 1), box(0.4, -0.2, 1, 0.2), box(0.8, -1, 1, 1),
    ),
}  # fmt: skip
