"""Which vehicles there are: type, colour and the details that tell two of one type and colour apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from reid.datasets.keypoints import COLORS, TYPES
from reid.datasets.vehicles.models import MODELS, Points, place_keypoints

Colour = tuple[int, int, int]  # RGB, 0..255

PAINTS: Mapping[str, Colour] = {
    "yellow": (232, 198, 42),
    "orange": (224, 112, 34),
    "green": (44, 122, 72),
    "gray": (124, 127, 132),
    "red": (180, 30, 38),
    "blue": (36, 78, 168),
    "white": (232, 232, 230),
    "golden": (206, 164, 82),
    "brown": (116, 70, 42),
    "black": (24, 24, 28),
}
DECALS: tuple[Colour, ...] = (
    (236, 236, 232), (28, 28, 32), (206, 40, 44), (240, 204, 48), (46, 96, 190), (54, 146, 84),
    (230, 124, 40), (128, 62, 140), (92, 190, 214),
)  # fmt: skip
METALS: tuple[Colour, ...] = (
    (198, 200, 204),
    (150, 152, 156),
    (64, 64, 68),
    (196, 166, 104),
    (228, 228, 226),
)
TINTS: tuple[Colour, ...] = ((44, 54, 62), (24, 26, 30), (62, 78, 82), (50, 44, 40))
PLATES: tuple[Colour, ...] = ((34, 74, 172), (238, 200, 52), (238, 238, 234), (70, 168, 96), (28, 28, 30))
BOARDS: tuple[Colour, ...] = ((222, 222, 218), (172, 176, 180), (60, 96, 160), (206, 196, 170), (150, 56, 48))

DECAL_PLACES = (
    "left side", "right side", "left rear quarter", "right rear quarter", "left front fender",
    "right front fender", "bonnet", "roof", "rear", "trunk lid",
)  # fmt: skip
DECAL_SHAPES = ("block", "disc", "triangle", "bars", "diamond", "letters")
RIMS = ("spokes", "star", "plate", "holes")


@dataclass(frozen=True, slots=True)
class Decal:
    """Something stuck to a face: its centre as shares of the face, its size in metres."""

    face: str
    centre: tuple[float, float]
    size: tuple[float, float]
    shape: str
    colour: Colour


@dataclass(frozen=True, slots=True)
class Vehicle:
    """All that stays the same from camera to camera."""

    type: int  # 1-based, as VeRi's typeID
    color: int  # 1-based, as VeRi's colorID
    keypoints: Points  # (36, 3) metres
    wheel: float  # radius, metres
    paint: Colour
    roof: Colour
    cargo: Colour  # of a truck's box
    bumper: Colour
    tint: Colour
    rim: str
    rim_colour: Colour
    plates: tuple[Colour, Colour]  # front, rear
    stripe: tuple[float, float, Colour] | None  # along the side: from and to as shares of its height
    glass_roof: bool  # every mpv's
    rails: bool  # on every estate's roof
    sporty: bool  # every hatchback's spoiler, and stripes over bonnet and roof
    spare: bool  # the wheel on every suv's tail
    sign: Colour | None  # on the roof, as a taxi's
    grille: int
    decals: tuple[Decal, ...]

    @property
    def kind(self) -> str:
        return TYPES[self.type - 1]


def assign_looks(seed: int, order: int, *, training: bool) -> tuple[int, int]:
    """Type and colour, both from 1, of a vehicle of one half of the benchmark.

    Of every twenty, two share both. Ten in a row have all colours and all types, and each of the other pairs
    of a colour and a type comes before one comes again: neither tells the other.
    """
    rng = np.random.default_rng((seed, 0, int(training)))
    colors, types = rng.permutation(len(COLORS)), rng.permutation(len(TYPES))
    look = order // 20 * 10 + order % 10
    return int(types[look % len(TYPES)]) + 1, int(colors[look % len(COLORS)]) + 1


@cache
def meet_vehicle(seed: int, identity: int) -> Vehicle:
    """The vehicle of that number: even ones are for training, odd ones for the test."""
    training, order = identity % 2 == 0, (identity - 1) // 2
    kind, color = assign_looks(seed, order, training=training)
    rng = np.random.default_rng((seed, 1, identity))
    name = TYPES[kind - 1]
    model = MODELS[name]
    long, wide, high = (float(share) for share in 1 + rng.uniform(-0.03, 0.03, 3))
    paint = vary(PAINTS[COLORS[color - 1]], rng)
    roof = choose(((28, 28, 32), (226, 226, 224)), rng) if rng.random() < 0.25 else paint
    if name == "bus":
        roof = (226, 226, 224)  # against the sun
    bumper = choose(((52, 52, 56), (138, 138, 140)), rng) if rng.random() < 0.35 else paint
    stripe = None
    if rng.random() < 0.3:
        low = rng.uniform(0.2, 0.65)
        stripe = low, low + rng.uniform(0.06, 0.2), choose(DECALS, rng)
    return Vehicle(
        type=kind,
        color=color,
        keypoints=place_keypoints(model, (long, wide, high)),
        wheel=model.wheel * high,
        paint=paint,
        roof=roof,
        cargo=vary(choose(BOARDS, rng), rng),
        bumper=bumper,
        tint=choose(TINTS, rng),
        rim=RIMS[int(rng.integers(len(RIMS)))],
        rim_colour=choose(METALS, rng),
        plates=(choose(PLATES, rng), choose(PLATES, rng)),
        stripe=stripe,
        glass_roof=name == "mpv",
        rails=name == "estate",
        sporty=name == "hatchback",
        spare=name == "suv",
        sign=choose(DECALS, rng) if rng.random() < 0.15 else None,
        grille=int(rng.integers(3)),
        decals=tuple(stick_decal(rng) for _ in range(int(rng.integers(2, 7)))),
    )


def stick_decal(rng: np.random.Generator) -> Decal:
    return Decal(
        face=DECAL_PLACES[int(rng.integers(len(DECAL_PLACES)))],
        centre=(rng.uniform(0.2, 0.8), rng.uniform(0.35, 0.75)),
        size=(rng.uniform(0.3, 0.9), rng.uniform(0.18, 0.42)),
        shape=DECAL_SHAPES[int(rng.integers(len(DECAL_SHAPES)))],
        colour=choose(DECALS, rng),
    )


def choose(palette: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    return palette[int(rng.integers(len(palette)))]


def vary(colour: Colour, rng: np.random.Generator) -> Colour:
    red, green, blue = (int(value) for value in np.clip(rng.normal(colour, 5), 0, 255))
    return red, green, blue
