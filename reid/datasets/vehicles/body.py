"""Draws a vehicle as a camera above its bonnet sees it: face by face, what is farther before what is nearer.

The body up to the belt is convex and so is the greenhouse on it. A camera above the belt sees no part of the
body before the greenhouse, so this order is right: tyres, body, wheels, greenhouse, what stands on the roof.
"""

from math import cos, pi, sin

import numpy as np

from reid.datasets.keypoints import SIDES
from reid.datasets.vehicles.details import (
    draw_bed,
    draw_box,
    draw_bus_doors,
    draw_decals,
    draw_front,
    draw_rear,
    draw_windows,
)
from reid.datasets.vehicles.fleet import Colour, Vehicle
from reid.datasets.vehicles.models import ARCH, GREENHOUSE, Points
from reid.datasets.vehicles.view import Painter

RUBBER: Colour = (34, 34, 36)
DARK: Colour = (20, 20, 22)
CIRCLE = np.array([(cos(a), sin(a)) for a in np.linspace(0, 2 * pi, 24, endpoint=False)])


def draw_vehicle(painter: Painter, vehicle: Vehicle) -> None:
    """Paint a vehicle; keypoints of the painter are the vehicle's."""
    near = {side for side in SIDES if painter.facing[f"{side} side"]}
    for side in SIDES:
        for axle in (0, 1):
            draw_tyre(painter, vehicle, side, axle)
        if side not in near:
            draw_mirror(painter, vehicle, side)
    draw_tops(painter, vehicle)
    for side in near:
        draw_flank(painter, vehicle, side)
    if painter.facing["rear"]:
        draw_rear(painter, vehicle)
    if painter.facing["front"]:
        draw_front(painter, vehicle)
    draw_greenhouse(painter, vehicle)
    for side in near:
        draw_mirror(painter, vehicle, side)


def wheel_ring(
    painter: Painter, vehicle: Vehicle, side: str, axle: int, *, share: float, depth: float
) -> Points:
    """(24, 3) points around a wheel's axle, ``depth`` metres inwards, at a share of its radius."""
    x, y, z = painter.keypoints[axle + 18 * SIDES.index(side)]
    radius, inwards = vehicle.wheel * share, y - np.sign(y) * depth
    return np.column_stack([x + radius * CIRCLE[:, 0], np.full(24, inwards), z + radius * CIRCLE[:, 1]])


def draw_tyre(painter: Painter, vehicle: Vehicle, side: str, axle: int) -> None:
    rings = [wheel_ring(painter, vehicle, side, axle, share=1, depth=depth) for depth in (0.02, 0.26)]
    painter.hull(np.concatenate(rings), RUBBER)


def draw_wheel(painter: Painter, vehicle: Vehicle, side: str, axle: int) -> None:
    """The dark arch, and in it the tyre and the rim."""
    first = 18 * SIDES.index(side) + (6 if axle == 0 else 2)
    front, rear = painter.keypoints[first], painter.keypoints[first + 3]
    arc = wheel_ring(painter, vehicle, side, axle, share=ARCH, depth=0)
    painter.fill(np.concatenate([[front], arc[(arc[:, 2] > front[2])], [rear]]), DARK)

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


def draw_tops(painter: Painter, vehicle: Vehicle) -> None:
    """Bonnet and trunk lid; the bed of a pickup."""
    if painter.facing["trunk lid"]:
        if vehicle.kind == "pickup":
            draw_bed(painter, vehicle)
        else:
            painter.bar("trunk lid", (0, 1), (0, 1), vehicle.paint)
            draw_decals(painter, vehicle, "trunk lid")
    if painter.facing["bonnet"]:
        painter.bar("bonnet", (0, 1), (0, 1), vehicle.paint)
        painter.bar("bonnet", (0.22, 0.78), (0.1, 1), vehicle.paint, gloss=26)
        for u in (0.21, 0.78):
            painter.bar("bonnet", (u, u + 0.012), (0.05, 1), darker(vehicle.paint))
        painter.bar("bonnet", (0.04, 0.96), (0.93, 1), DARK)  # below the wipers
        draw_decals(painter, vehicle, "bonnet")


def draw_flank(painter: Painter, vehicle: Vehicle, side: str) -> None:
    """One side up to the belt: three faces in bands of light, doors, stripe, wheels."""
    bands = ((0, 0.16, 0.82), (0.16, 0.5, 0.93), (0.5, 0.56, 0.86), (0.56, 0.9, 1.03), (0.9, 1, 1.15))
    faces = [f"{side} {part}" for part in ("rear quarter", "side", "front fender")]
    for face in faces:
        for low, high, shine in bands:
            painter.bar(face, (0, 1), (low, high), darker(vehicle.paint, shine))
        low_colour = darker(vehicle.bumper, 0.8) if vehicle.bumper != vehicle.paint else (46, 46, 50)
        painter.bar(face, (0, 1), (0, 0.16 if vehicle.bumper != vehicle.paint else 0.1), low_colour)
        if vehicle.stripe is not None:
            low, high, colour = vehicle.stripe
            painter.bar(face, (0, 1), (low, high), colour)
    quarter, middle, fender = faces
    if vehicle.kind == "truck":
        draw_box(painter, vehicle, side)
    elif vehicle.kind == "bus":
        draw_bus_doors(painter, vehicle, side)
    else:
        doors = (0.52, 0.97) if vehicle.kind == "pickup" else (0.08, 0.5, 0.97)
        for u in doors:
            painter.bar(middle, (u, u + 0.01), (0.1, 1), darker(vehicle.paint, 0.45))
        for u in doors[:-1]:
            painter.bar(middle, (u + 0.03, u + 0.1), (0.76, 0.83), darker(vehicle.paint, 0.55))
    for face in faces:
        draw_decals(painter, vehicle, face)
    painter.bar(fender, (0.82, 1), (0.62, 0.92), (226, 228, 224))  # the lamps reach around the corners
    painter.bar(quarter, (0, 0.16), (0.6, 0.95), (186, 32, 32))
    for axle in (0, 1):
        draw_wheel(painter, vehicle, side, axle)


def draw_greenhouse(painter: Painter, vehicle: Vehicle) -> None:
    for face in GREENHOUSE[:-1]:
        if painter.facing[face]:
            draw_windows(painter, vehicle, face)
    if painter.facing["roof"]:
        painter.bar("roof", (0, 1), (0, 1), vehicle.cargo if vehicle.kind == "truck" else vehicle.roof)
        if vehicle.kind == "truck":
            painter.bar("roof", (0, 1), (0.76, 1), vehicle.paint)
            painter.bar("roof", (0, 1), (0.74, 0.765), DARK)
        elif vehicle.kind == "bus":
            for v in (0.2, 0.65):
                painter.bar("roof", (0.25, 0.75), (v, v + 0.16), darker(vehicle.roof, 0.85))
        elif vehicle.sunroof:
            painter.bar("roof", (0.2, 0.8), (0.5, 0.84), vehicle.tint, gloss=40)
        draw_decals(painter, vehicle, "roof")
    if vehicle.kind not in ("bus", "truck"):
        draw_load(painter, vehicle)


def draw_load(painter: Painter, vehicle: Vehicle) -> None:
    """A rack's two rails, and a sign."""
    up = np.array((0.0, 0.0, 1.0))
    if vehicle.rack:
        for u in (0.06, 0.94):
            rail = painter.on("roof", [(u, 0.06), (u, 0.94)])
            for foot in (0.06, 0.5, 0.94):
                base = painter.on("roof", [(u, foot - 0.02), (u, foot + 0.02)])
                painter.fill(np.concatenate([base, base[::-1] + 0.07 * up]), (60, 60, 64))
            painter.fill(np.concatenate([rail + 0.06 * up, rail[::-1] + 0.095 * up]), (176, 178, 182))
    if vehicle.sign is not None:
        base = painter.on("roof", [(0.34, 0.7), (0.66, 0.7), (0.66, 0.8), (0.34, 0.8)])
        painter.hull(np.concatenate([base, base + 0.15 * up]), darker(vehicle.sign, 0.8))
        middle = base.mean(0)
        face = base[:2] if painter.eye.position[0] < middle[0] else base[2:]
        painter.fill(np.concatenate([face + 0.02 * up, face[::-1] + 0.13 * up]), vehicle.sign)


def draw_mirror(painter: Painter, vehicle: Vehicle, side: str) -> None:
    """A door mirror beside the lower corner of the windscreen."""
    x, y, z = painter.keypoints[15 + 18 * SIDES.index(side)]
    outward, tall = np.sign(y), vehicle.kind in ("bus", "truck")
    low, high = (0.5, 0.85) if tall else (0.0, 0.16)
    corners = [
        (x - 0.16 + dx, y + outward * dy, z + dz)
        for dx in (-0.05, 0.05)
        for dy, dz in ((-0.06, low), (0.17, low + 0.02), (0.17, high), (-0.02, high))
    ]
    normal = np.array((0.0, outward, 0.0))
    painter.hull(np.array(corners), darker(painter.light(vehicle.bumper, normal), 0.9))


def darker(colour: Colour, share: float = 0.7) -> Colour:
    red, green, blue = (min(255, int(value * share)) for value in colour)
    return red, green, blue
