"""What is on a vehicle's faces: windows, lamps, plates, a bed, a box above the belt, and the decals."""

from itertools import pairwise
from math import cos, pi, sin

import numpy as np

from reid.datasets.keypoints import SIDES
from reid.datasets.vehicles.fleet import Colour, Vehicle
from reid.datasets.vehicles.view import Painter

DARK: Colour = (22, 22, 24)
LAMP: Colour = (238, 240, 236)
TAIL: Colour = (190, 28, 30)
CARGO = 0.745  # where a truck's box ends, as a share of its length from the rear


def tone(colour: Colour, share: float) -> Colour:
    """A colour made darker, or lighter."""
    red, green, blue = (min(255, int(value * share)) for value in colour)
    return red, green, blue


def draw_windows(painter: Painter, vehicle: Vehicle, face: str) -> None:
    """One upright face of the greenhouse: glass in a frame, or a truck's box."""
    painter.bar(face, (0, 1), (0, 1), vehicle.paint)
    if face == "windscreen":
        draw_screen(painter, vehicle, face)
    elif face != "rear window":
        draw_side_windows(painter, vehicle, face)
    elif vehicle.kind == "truck":
        painter.bar(face, (0, 1), (0, 1), vehicle.cargo)
        for u in (0.02, 0.49, 0.97):
            painter.bar(face, (u, u + 0.015), (0.02, 0.97), tone(vehicle.cargo, 0.6))
        painter.bar(face, (0.42, 0.58), (0.18, 0.24), DARK)
    else:
        if vehicle.kind != "van" or not vehicle.panels:
            draw_screen(painter, vehicle, face)
        if vehicle.kind == "van":
            painter.bar(face, (0.49, 0.51), (0, 1), tone(vehicle.paint, 0.5))


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
    kind, up = vehicle.kind, (0.06, 0.88)
    if kind == "bus":
        posts, gap, up = np.linspace(0.01, 1, 8).tolist(), 0.02, (0.1, 0.84)
    elif kind == "truck":
        painter.bar(face, (0, CARGO), (0, 1), vehicle.cargo)
        for u in np.arange(1, 8) * CARGO / 8:
            painter.bar(face, (u, u + 0.006), (0, 1), tone(vehicle.cargo, 0.82))
        painter.bar(face, (0, CARGO), (0.95, 1), tone(vehicle.cargo, 0.75))
        painter.bar(face, (CARGO, CARGO + 0.025), (0, 1), DARK)
        posts, gap, up = [CARGO + 0.08, 0.965], 0.0, (0.06, 0.6)
    elif kind == "van":
        posts, gap = ([0.7, 0.98] if vehicle.panels else [0.05, 0.38, 0.7, 0.98]), 0.03
    else:
        starts = {"sedan": [0.1, 0.53], "hatchback": [0.12, 0.5], "pickup": [0.1, 0.53]}
        posts, gap = [*starts.get(kind, [0.08, 0.3, 0.6]), 0.98], 0.025
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


def draw_front(painter: Painter, vehicle: Vehicle) -> None:
    """Lamps, grille, bumper and plate."""
    painter.bar("front", (0, 1), (0, 1), vehicle.paint)
    painter.bar("front", (0, 1), (0, 0.46), tone(vehicle.bumper, 0.92))
    painter.bar("front", (0.18, 0.82), (0.06, 0.22), DARK)
    painter.bar("front", (0, 1), (0, 0.06), (46, 46, 50))
    grille = ((0.3, 0.7), (0.26, 0.74), (0.36, 0.64))[vehicle.grille]
    painter.bar("front", grille, (0.52, 0.86), DARK)
    bars = ((0.6, 0.66, 0.72, 0.78), (0.68,), ())[vehicle.grille]
    for v in bars:
        painter.bar("front", grille, (v, v + 0.03), (186, 188, 190))
    painter.patch("front", [(0.47, 0.69), (0.5, 0.61), (0.53, 0.69), (0.5, 0.77)], (214, 216, 220))
    for u in (0.02, 0.76):
        painter.bar("front", (u, u + 0.22), (0.56, 0.9), (70, 74, 80))
        painter.bar("front", (u + 0.02, u + 0.2), (0.6, 0.87), LAMP, gloss=30)
        painter.bar("front", (u + 0.07, u + 0.14), (0.64, 0.83), (180, 196, 214))
        painter.bar("front", (u + 0.05, u + 0.16), (0.14, 0.26), (214, 208, 180))
    draw_plate(painter, "front", vehicle.plates[0], 0.3)


def draw_rear(painter: Painter, vehicle: Vehicle) -> None:
    """Lamps, bumper and plate."""
    body = vehicle.paint if vehicle.kind != "truck" else (58, 58, 62)
    painter.bar("rear", (0, 1), (0, 1), body)
    painter.bar("rear", (0, 1), (0, 0.36), tone(vehicle.bumper, 0.9))
    painter.bar("rear", (0, 1), (0, 0.08), (46, 46, 50))
    painter.bar("rear", (0.03, 0.97), (0.36, 0.385), tone(body, 0.55))
    draw_decals(painter, vehicle, "rear")
    for u in (0.02, 0.8):
        painter.bar("rear", (u - 0.01, u + 0.19), (0.54, 0.97), tone(TAIL, 0.4))
        painter.bar("rear", (u, u + 0.18), (0.56, 0.95), TAIL)
        painter.bar("rear", (u + 0.03, u + 0.15), (0.66, 0.76), (236, 190, 176))
    draw_plate(painter, "rear", vehicle.plates[1], 0.55)


def draw_plate(painter: Painter, face: str, colour: Colour, v: float) -> None:
    """A number plate, its lower edge at a share ``v`` of the face's height."""
    length, height = painter.measure(face)
    half, tall = 0.25 / length, 0.15 / height
    painter.bar(face, (0.5 - half, 0.5 + half), (v, v + tall), colour)
    ink = (24, 24, 26) if sum(colour) > 380 else (236, 236, 236)
    for k in range(6):
        u = 0.5 - 0.8 * half + k * 0.27 * half
        painter.bar(face, (u, u + 0.16 * half), (v + 0.25 * tall, v + 0.75 * tall), ink)


def draw_bed(painter: Painter, vehicle: Vehicle) -> None:
    """The open bed: its floor, and the inner walls that are turned to the camera."""
    painter.bar("trunk lid", (0, 1), (0, 1), vehicle.paint)
    corners = painter.on("trunk lid", [(0.06, 0.04), (0.94, 0.04), (0.94, 0.98), (0.06, 0.98)])
    painter.fill(corners, painter.light((70, 70, 72), np.array((0.0, 0.0, 1.0)), gloss=0))
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
            shade = tone(vehicle.paint, 0.62 if seen_with in ("rear", "front") else 0.5)
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
