"""The 36 keypoints of every type of vehicle in three dimensions, and the faces between them.

Metres; the origin lies on the road below the vehicle's middle, x points forward, y to its own left, z up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 3) metres, or (n, 2) pixels
Triple = tuple[float, float, float]

ARCH = 1.2  # radius of a wheel's arch in that of the wheel
ARCH_TOP = pi / 5  # the two top points of an arch lie so far from its summit

# Corners of faces as one looks at them upright, from the lower corner nearest to the rear (or on the left):
# lower, lower, upper, upper. They are those of SEGMENTS, and the two sides of the greenhouse.
FACES: Mapping[str, tuple[int, int, int, int]] = {
    "left rear quarter": (10, 6, 12, 11),
    "left side": (6, 5, 15, 12),
    "left front fender": (5, 17, 16, 15),
    "right rear quarter": (28, 24, 30, 29),
    "right side": (24, 23, 33, 30),
    "right front fender": (23, 35, 34, 33),
    "rear": (10, 28, 29, 11),
    "front": (17, 35, 34, 16),
    "trunk lid": (11, 29, 30, 12),
    "bonnet": (16, 34, 33, 15),
    "left windows": (12, 15, 14, 13),
    "right windows": (30, 33, 32, 31),
    "rear window": (12, 30, 31, 13),
    "windscreen": (15, 33, 32, 14),
    "roof": (13, 31, 32, 14),
}
GREENHOUSE = ("left windows", "right windows", "rear window", "windscreen", "roof")


@dataclass(frozen=True, slots=True)
class Model:
    """One type's measures; widths are halves, as shares of ``width / 2``."""

    width: float
    roof_width: float  # at the roof's corners
    nose_width: float  # at the front's corners
    tail_width: float  # at the rear's corners
    wheel: float  # radius
    axles: tuple[float, float]  # x of the rear and of the front one
    sill: float  # z at the ends of the arches
    outline: tuple[tuple[float, float], ...]  # x, z of keypoints 10 to 17: rear, over the roof, to the front


# Proportions are a caricaturist's: what sets a type apart is larger than life, as networks see small squares.
MODELS: Mapping[str, Model] = {
    "sedan": Model(1.84, 0.66, 0.88, 0.90, 0.32, (-1.50, 1.52), 0.22, (  # low, with a long trunk
        (-2.52, 0.34), (-2.50, 0.92), (-1.45, 0.98), (-0.85, 1.34),
        (0.05, 1.36), (0.95, 0.95), (2.40, 0.70), (2.52, 0.26),
    )),
    "suv": Model(1.96, 0.90, 0.96, 0.98, 0.46, (-1.32, 1.36), 0.54, (  # a box on large wheels
        (-2.10, 0.62), (-2.12, 1.15), (-2.10, 1.36), (-1.95, 2.02),
        (0.15, 2.04), (0.72, 1.36), (2.02, 1.24), (2.12, 0.56),
    )),
    "van": Model(1.95, 0.90, 0.94, 0.99, 0.33, (-1.55, 1.60), 0.28, (  # tall
        (-2.55, 0.36), (-2.55, 1.00), (-2.53, 1.25), (-2.45, 2.45),
        (1.05, 2.45), (2.00, 1.25), (2.45, 0.98), (2.55, 0.32),
    )),
    "hatchback": Model(1.68, 0.76, 0.92, 0.98, 0.32, (-1.02, 1.06), 0.24, (  # short
        (-1.54, 0.34), (-1.56, 0.88), (-1.44, 1.00), (-1.06, 1.46),
        (0.02, 1.48), (0.78, 0.98), (1.50, 0.76), (1.60, 0.28),
    )),
    "mpv": Model(1.86, 0.80, 0.84, 0.95, 0.33, (-1.42, 1.50), 0.26, (  # one wedge, hardly a bonnet
        (-2.22, 0.36), (-2.28, 0.86), (-2.22, 0.98), (-1.98, 1.70),
        (0.35, 1.76), (1.85, 0.96), (2.14, 0.74), (2.26, 0.28),
    )),
    "pickup": Model(1.94, 0.80, 0.94, 0.99, 0.42, (-1.72, 1.74), 0.48, (  # half of it is the bed
        (-2.85, 0.58), (-2.85, 1.10), (-0.75, 1.16), (-0.60, 1.82),
        (0.35, 1.84), (0.95, 1.20), (2.55, 1.08), (2.72, 0.48),
    )),
    "bus": Model(2.50, 0.95, 0.97, 0.98, 0.50, (-2.30, 2.60), 0.36, (
        (-4.60, 0.42), (-4.62, 1.40), (-4.60, 1.66), (-4.50, 3.00),
        (4.35, 3.04), (4.56, 1.46), (4.60, 1.20), (4.62, 0.36),
    )),
    "truck": Model(2.20, 0.97, 0.94, 0.99, 0.42, (-1.90, 2.02), 0.50, (
        (-3.10, 0.62), (-3.10, 1.00), (-3.09, 1.28), (-3.06, 2.80),
        (2.36, 2.46), (2.92, 1.44), (3.02, 1.16), (3.08, 0.46),
    )),
    "estate": Model(1.82, 0.72, 0.90, 0.95, 0.32, (-1.55, 1.50), 0.22, (  # a sedan's bow, a roof to the end
        (-2.60, 0.34), (-2.64, 0.84), (-2.56, 0.98), (-2.10, 1.38),
        (0.05, 1.40), (0.95, 0.96), (2.30, 0.72), (2.42, 0.26),
    )),
}  # fmt: skip


def place_keypoints(model: Model, stretch: Triple = (1.0, 1.0, 1.0)) -> Points:
    """(36, 3) of a vehicle as long, wide and high as its model times ``stretch``."""
    long, wide, high = stretch
    wheel, half = model.wheel * high, model.width / 2 * wide
    side: list[Triple] = [(x * long, half, wheel) for x in model.axles]
    for x in (model.axles[1] * long, model.axles[0] * long):
        side += [(x + dx, half, z) for dx, z in span_arch(wheel, model.sill * high)]
    shares = (
        model.tail_width,
        model.tail_width,
        0.97,
        *2 * (model.roof_width,),
        0.97,
        *2 * (model.nose_width,),
    )
    side += [(x * long, half * share, z * high) for (x, z), share in zip(model.outline, shares, strict=True)]
    left = np.array(side)
    return np.concatenate([left, left * (1, -1, 1)])


def span_arch(wheel: float, sill: float) -> list[tuple[float, float]]:
    """The four keypoints of an arch from front to rear: x from the wheel's centre, and z."""
    radius = ARCH * wheel
    end, top, height = sqrt(radius**2 - (sill - wheel) ** 2), radius * sin(ARCH_TOP), radius * cos(ARCH_TOP)
    return [(end, sill), (top, wheel + height), (-top, wheel + height), (-end, sill)]
