"""A vehicle's front and rear: grille, bumpers, lamps and plates. Where the lamps are tells the type."""

from typing import NamedTuple

import numpy as np

from reid.datasets.vehicles.details import CHROME, CLADDING, DARK, LINER, draw_decals, tone
from reid.datasets.vehicles.fleet import Colour, Vehicle
from reid.datasets.vehicles.models import Points
from reid.datasets.vehicles.view import Painter

LAMP: Colour = (238, 240, 236)
TAIL: Colour = (190, 28, 30)
CIRCLE = [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 20, endpoint=False)]


class Lamps(NamedTuple):
    """A pair of lamps, the left one from 0.02 of the face's width; the right one is its mirror image."""

    width: float
    up: tuple[float, float]  # from and to, as shares of the face's height
    round: bool = False


HEADLAMPS = {
    "sedan": Lamps(0.26, (0.66, 0.86)),
    "suv": Lamps(0.2, (0.56, 0.92), round=True),
    "van": Lamps(0.16, (0.5, 0.98)),
    "hatchback": Lamps(0.3, (0.48, 0.98), round=True),
    "mpv": Lamps(0.24, (0.42, 1.0)),
    "pickup": Lamps(0.16, (0.56, 0.92)),
    "bus": Lamps(0.16, (0.3, 0.5), round=True),
    "truck": Lamps(0.2, (0.12, 0.36)),  # in the bumper
    "estate": Lamps(0.3, (0.74, 0.9)),
}
TAILS = {
    "sedan": Lamps(0.32, (0.62, 0.92)),  # with what is between them, from side to side
    "suv": Lamps(0.09, (0.46, 0.96)),
    "van": Lamps(0.1, (0.3, 1.0)),
    "hatchback": Lamps(0.26, (0.5, 0.98), round=True),
    "mpv": Lamps(0.14, (0.4, 1.0)),
    "pickup": Lamps(0.12, (0.4, 0.98)),
    "bus": Lamps(0.12, (0.2, 0.42)),
    "truck": Lamps(0.18, (0.1, 0.4)),
    "estate": Lamps(0.2, (0.5, 0.95)),
}


def draw_front(painter: Painter, vehicle: Vehicle) -> None:
    """Lamps, grille, bumper and plate."""
    bumper = CLADDING if vehicle.kind in ("suv", "van") else vehicle.bumper
    painter.bar("front", (0, 1), (0, 1), vehicle.paint)
    painter.bar("front", (0, 1), (0, 0.46), tone(bumper, 0.92))
    if vehicle.kind == "suv":
        painter.bar("front", (0.25, 0.75), (0, 0.2), CHROME)  # what the stones hit
    elif vehicle.kind == "estate":
        painter.bar("front", (0, 1), (0, 0.16), CHROME)
    else:
        painter.bar("front", (0.18, 0.82), (0.06, 0.22), DARK)
        painter.bar("front", (0, 1), (0, 0.06), (46, 46, 50))
    draw_grille(painter, vehicle)
    for corners in place_lamps(HEADLAMPS[vehicle.kind]):
        middle = corners.mean(0)
        painter.patch("front", middle + 1.12 * (corners - middle), (70, 74, 80))
        painter.patch("front", corners, LAMP, gloss=30)
        painter.patch("front", middle + 0.45 * (corners - middle), (180, 196, 214))
    draw_plate(painter, "front", vehicle.plates[0], 0.3)


def draw_grille(painter: Painter, vehicle: Vehicle) -> None:
    """One of three grilles; a pickup's is wide and bright, and a van has none."""
    if vehicle.kind == "van":
        return
    if vehicle.kind == "pickup":
        painter.bar("front", (0.18, 0.82), (0.46, 0.98), CHROME)
    across = ((0.3, 0.7), (0.26, 0.74), (0.36, 0.64))[vehicle.grille]
    painter.bar("front", across, (0.52, 0.86), DARK)
    for v in ((0.6, 0.66, 0.72, 0.78), (0.68,), ())[vehicle.grille]:
        painter.bar("front", across, (v, v + 0.03), (186, 188, 190))
    painter.patch("front", [(0.47, 0.69), (0.5, 0.61), (0.53, 0.69), (0.5, 0.77)], (214, 216, 220))


def draw_rear(painter: Painter, vehicle: Vehicle) -> None:
    """Lamps, bumper and plate."""
    body = LINER if vehicle.kind in ("truck", "pickup") else vehicle.paint
    bumper = CLADDING if vehicle.kind in ("suv", "van") else vehicle.bumper
    painter.bar("rear", (0, 1), (0, 1), body)
    painter.bar("rear", (0, 1), (0, 0.36), tone(bumper, 0.9))
    high, below = (0.2, CHROME) if vehicle.kind == "estate" else (0.08, (46, 46, 50))
    painter.bar("rear", (0, 1), (0, high), below)
    painter.bar("rear", (0.03, 0.97), (0.36, 0.385), tone(body, 0.55))
    draw_decals(painter, vehicle, "rear")
    lamps = TAILS[vehicle.kind]
    if vehicle.kind == "sedan":
        painter.bar("rear", (0.02, 0.98), (0.7, 0.84), tone(TAIL, 0.8))
        painter.bar("rear", (0, 1), (0.38, 0.46), CHROME)
    for corners in place_lamps(lamps):
        middle = corners.mean(0)
        painter.patch("rear", middle + 1.1 * (corners - middle), tone(TAIL, 0.4))
        painter.patch("rear", corners, TAIL)
        painter.patch("rear", middle + 0.4 * (corners - middle), (236, 190, 176))
    draw_plate(painter, "rear", vehicle.plates[1], 0.5)


def place_lamps(lamps: Lamps) -> tuple[Points, Points]:
    """The outlines of both, as shares of the face."""
    low, high = lamps.up
    unit = CIRCLE if lamps.round else [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
    half = np.array((lamps.width / 2, (high - low) / 2))
    left = np.array((0.02 + lamps.width / 2, (low + high) / 2)) + half * np.array(unit)
    return left, (1, 0) + left * (-1, 1)


def draw_plate(painter: Painter, face: str, colour: Colour, v: float) -> None:
    """A number plate, its lower edge at a share ``v`` of the face's height."""
    length, height = painter.measure(face)
    half, tall = 0.25 / length, 0.15 / height
    painter.bar(face, (0.5 - half, 0.5 + half), (v, v + tall), colour)
    ink = (24, 24, 26) if sum(colour) > 380 else (236, 236, 236)
    for k in range(6):
        u = 0.5 - 0.8 * half + k * 0.27 * half
        painter.bar(face, (u, u + 0.16 * half), (v + 0.25 * tall, v + 0.75 * tall), ink)
