"""Who walks through the pedestrians benchmark: bodies, hair, clothes and bags, from small shared palettes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

Colour = tuple[int, int, int]  # RGB, 0..255


class Pattern(Enum):
    """What the cloth of a top shows; PRINT and JACKET show it on the chest only."""

    PLAIN = 0
    STRIPES = 1
    CHECKS = 2
    BAND = 3
    PRINT = 4
    JACKET = 5


class Cut(Enum):
    """What covers the legs."""

    TROUSERS = 0
    SHORTS = 1
    SKIRT = 2


class Hair(Enum):
    """How long the hair is."""

    SHORT = 0
    LONG = 1
    TAIL = 2


class Bag(Enum):
    """What is carried: on the back, or at one hip."""

    NONE = 0
    BACKPACK = 1
    SATCHEL = 2


# A dozen colours of cloth for everybody: a colour alone names nobody, a combination does.
CLOTH: tuple[Colour, ...] = (
    (38, 38, 44),  # black
    (226, 224, 218),  # white
    (128, 130, 134),  # grey
    (40, 52, 96),  # navy
    (62, 110, 178),  # blue
    (182, 42, 48),  # red
    (54, 118, 74),  # green
    (214, 178, 64),  # yellow
    (196, 164, 128),  # beige
    (206, 122, 150),  # pink
    (112, 66, 128),  # violet
    (204, 106, 46),  # orange
)
LEGWEAR: tuple[Colour, ...] = (*CLOTH[:6], CLOTH[8], CLOTH[9], (92, 74, 58), (84, 92, 64))
LEATHER: tuple[Colour, ...] = (*CLOTH[:3], CLOTH[5], (104, 68, 42), CLOTH[4])
HAIR: tuple[Colour, ...] = ((28, 24, 24), (58, 40, 30), (112, 74, 42), (196, 158, 96), (150, 148, 148))
SKIN: tuple[Colour, ...] = ((240, 204, 176), (222, 178, 142), (176, 126, 92), (112, 76, 56))


@dataclass(frozen=True, slots=True)
class Person:
    """All that stays the same from camera to camera; lengths are fractions of an average height."""

    height: float
    girth: float
    skin: Colour
    hair: Hair
    hair_colour: Colour
    hat: Colour | None
    top: Colour
    trim: Colour  # the second colour of a patterned top
    pattern: Pattern
    long_sleeves: bool
    hem: float  # height above the ground at which the top ends: a coat ends at the knee
    cut: Cut
    bottom: Colour
    shoes: Colour
    bag: Bag
    bag_colour: Colour
    bag_side: int  # -1 or 1


def meet_person(rng: np.random.Generator) -> Person:
    """Draw one person's looks; the same generator state gives the same person."""

    def colour(palette: Sequence[Colour]) -> Colour:
        shade = rng.normal(palette[int(rng.integers(len(palette)))], 7)
        red, green, blue = (int(value) for value in np.clip(shade, 0, 255))
        return red, green, blue

    top, trim = colour(CLOTH), colour(CLOTH)
    if sum(abs(a - b) for a, b in zip(top, trim, strict=True)) < 120:  # a pattern must show
        trim = CLOTH[1] if sum(top) < 380 else CLOTH[0]
    coat = rng.random() < 0.15
    return Person(
        height=rng.uniform(0.92, 1.06),
        girth=rng.uniform(0.85, 1.25),
        skin=colour(SKIN),
        hair=Hair(rng.choice(3, p=(0.5, 0.3, 0.2))),
        hair_colour=colour(HAIR),
        hat=colour(CLOTH) if rng.random() < 0.2 else None,
        top=top,
        trim=trim,
        pattern=Pattern(rng.choice(6, p=(0.3, 0.16, 0.12, 0.12, 0.14, 0.16))),
        long_sleeves=bool(coat or rng.random() < 0.5),
        hem=rng.uniform(0.27, 0.34) if coat else rng.uniform(0.46, 0.5),
        cut=Cut(rng.choice(3, p=(0.55, 0.25, 0.2))),
        bottom=colour(LEGWEAR),
        shoes=colour(LEATHER),
        bag=Bag(rng.choice(3, p=(0.4, 0.35, 0.25))),
        bag_colour=colour(LEATHER if rng.random() < 0.5 else CLOTH),
        bag_side=int(rng.choice((-1, 1))),
    )
