"""Draws a vehicle as a camera above its bonnet sees it: face by face, what is farther before what is nearer.

The body up to the belt is convex and so is the greenhouse on it. A camera above the belt sees no part of the
body before the greenhouse, so this order is right: tyres, body, wheels, greenhouse, what stands on the roof.
"""

import numpy as np

from reid.datasets.keypoints import SIDES
from reid.datasets.vehicles.details import CARGO, CHROME, DARK, draw_bed, draw_decals, draw_windows, tone
from reid.datasets.vehicles.ends import draw_front, draw_rear
from reid.datasets.vehicles.flanks import CIRCLE, RUBBER, draw_flank, draw_tyre
from reid.datasets.vehicles.fleet import Colour, Vehicle
from reid.datasets.vehicles.models import GREENHOUSE
from reid.datasets.vehicles.view import Painter


def draw_vehicle(painter: Painter, vehicle: Vehicle) -> None:
    """Paint a vehicle; keypoints of the painter are the vehicle's."""
    near = [side for side in SIDES if painter.facing[f"{side} side"]]
    for side in SIDES:
        for axle in (0, 1):
            draw_tyre(painter, vehicle, side, axle)
        if side not in near:
            draw_mirror(painter, vehicle, side)
    draw_tops(painter, vehicle)
    for side in SIDES:
        draw_flank(painter, vehicle, side)
    if painter.facing["rear"]:
        draw_rear(painter, vehicle)
    if painter.facing["front"]:
        draw_front(painter, vehicle)
    draw_greenhouse(painter, vehicle)
    if vehicle.spare and painter.facing["rear"]:
        draw_spare(painter, vehicle)
    for side in near:
        draw_mirror(painter, vehicle, side)


def draw_spare(painter: Painter, vehicle: Vehicle) -> None:
    """The wheel on an suv's tail, in a cover."""
    x, _, z = painter.keypoints[11]
    disc = np.column_stack(
        [np.full(24, x), vehicle.wheel * CIRCLE[:, 0], z - 0.06 + vehicle.wheel * CIRCLE[:, 1]]
    )
    outward, middle = np.array((-0.16, 0.0, 0.0)), np.array((x, 0.0, z - 0.06))
    painter.hull(np.concatenate([disc, disc + outward]), RUBBER)
    cover = middle + 0.75 * (disc - middle) + outward
    painter.fill(cover, painter.light(vehicle.rim_colour, painter.normals["rear"]))


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
            painter.bar("bonnet", (u, u + 0.012), (0.05, 1), tone(vehicle.paint, 0.7))
        if vehicle.sporty:
            draw_stripes(painter, "bonnet", vehicle.paint)
        painter.bar("bonnet", (0.04, 0.96), (0.93, 1), DARK)  # below the wipers
        draw_decals(painter, vehicle, "bonnet")


def draw_stripes(painter: Painter, face: str, colour: Colour) -> None:
    """Two stripes lengthwise, white or black, whichever stands out from the colour."""
    for u in (0.26, 0.54):
        painter.bar(face, (u, u + 0.2), (0, 1), DARK if sum(colour) > 330 else CHROME)


def draw_greenhouse(painter: Painter, vehicle: Vehicle) -> None:
    """What stands on the belt: windows, the roof, and what is on it."""
    for face in GREENHOUSE[:-1]:
        if painter.facing[face]:
            draw_windows(painter, vehicle, face)
    if painter.facing["roof"]:
        painter.bar("roof", (0, 1), (0, 1), vehicle.cargo if vehicle.kind == "truck" else vehicle.roof)
        if vehicle.kind == "truck":
            for v in np.arange(3) * CARGO / 3 + 0.02:
                painter.bar("roof", (0, 1), (v, v + 0.03), tone(vehicle.cargo, 0.6))
            painter.bar("roof", (0, 1), (0.76, 1), vehicle.paint)
            painter.bar("roof", (0, 1), (0.74, 0.765), DARK)
        elif vehicle.kind == "bus":
            for v in (0.25, 0.7):
                painter.bar("roof", (0.3, 0.7), (v, v + 0.1), tone(vehicle.roof, 0.85))
        elif vehicle.glass_roof:
            painter.bar("roof", (0.05, 0.95), (0.03, 0.97), tone(vehicle.tint, 0.7), gloss=24)
        elif vehicle.sporty:
            draw_stripes(painter, "roof", vehicle.roof)
        draw_decals(painter, vehicle, "roof")
    if vehicle.kind not in ("bus", "truck"):
        draw_load(painter, vehicle)


def draw_load(painter: Painter, vehicle: Vehicle) -> None:
    """Two rails, a spoiler, and a sign."""
    up = np.array((0.0, 0.0, 1.0))
    if vehicle.sporty:
        edge = painter.on("roof", [(0.03, 0), (0.97, 0)])
        top, bottom = np.array((-0.3, 0, 0.02)), np.array((-0.3, 0, -0.08))
        painter.hull(np.concatenate([edge, edge + top, edge + bottom]), DARK)
    if vehicle.rails:
        for u in (0.06, 0.94):
            rail = painter.on("roof", [(u, 0.06), (u, 0.94)])
            for foot in (0.06, 0.5, 0.94):
                base = painter.on("roof", [(u, foot - 0.02), (u, foot + 0.02)])
                painter.fill(np.concatenate([base, base[::-1] + 0.07 * up]), DARK)
            painter.fill(np.concatenate([rail + 0.06 * up, rail[::-1] + 0.13 * up]), CHROME)
    if vehicle.sign is not None:
        base = painter.on("roof", [(0.34, 0.7), (0.66, 0.7), (0.66, 0.8), (0.34, 0.8)])
        painter.hull(np.concatenate([base, base + 0.15 * up]), tone(vehicle.sign, 0.8))
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
    painter.hull(np.array(corners), tone(painter.light(vehicle.bumper, normal), 0.9))
