"""The six streets the cameras look at, each drawn as one long picture that boxes are cut from."""

import cv2
import numpy as np

from reid.datasets.pedestrians.people import Colour
from reid.datasets.pedestrians.view import Pixels

STREET = (720, 192)  # width, height in pixels
HORIZON = 104  # the row where the ground begins


def paint_ground(street: Pixels, far: Colour, near: Colour) -> None:
    rows = np.linspace(0, 1, street.shape[0] - HORIZON)[:, None, None]
    street[HORIZON:] = (np.array(far) * (1 - rows) + np.array(near) * rows).astype(np.uint8)


def pave(street: Pixels, joint: Colour) -> None:
    """Joints of flagstones, closer together towards the horizon."""
    width, height = STREET
    for step in np.linspace(0, 1, 7) ** 1.8:
        y = int(HORIZON + step * (height - HORIZON))
        cv2.line(street, (0, y), (width, y), joint, 1, cv2.LINE_AA)
    for x in range(-width, 2 * width, 26):
        foot = width // 2 + (x - width // 2) * 2
        cv2.line(street, (x, HORIZON), (foot, height), joint, 1, cv2.LINE_AA)


def shop(street: Pixels, rng: np.random.Generator) -> None:
    """A supermarket's window with coloured goods, before a pavement."""
    street[:HORIZON] = (176, 184, 186)
    for x in range(0, STREET[0], 60):
        street[18 : HORIZON - 10, x + 4 : x + 56] = (92, 112, 124)
        for shelf in range(34, HORIZON - 12, 18):
            street[shelf + 10 : shelf + 12, x + 6 : x + 54] = (180, 176, 168)
            for left in range(x + 7, x + 52, 7):
                top = shelf + int(rng.integers(1, 6))
                street[top : shelf + 10, left : left + 5] = rng.integers(60, 230, 3)
        cv2.line(street, (x + 10, HORIZON - 14), (x + 50, 22), (150, 168, 178), 2, cv2.LINE_AA)
    street[6:18] = (188, 60, 52)
    paint_ground(street, (168, 160, 150), (196, 188, 176))
    pave(street, (150, 142, 134))


def bricks(street: Pixels, rng: np.random.Generator) -> None:
    """A brick wall with posters and a kerb."""
    street[:HORIZON] = (118, 100, 92)
    for row, y in enumerate(range(0, HORIZON, 8)):
        for x in range(-8 * (row % 2), STREET[0], 17):
            tone = rng.normal(0, 9)
            brick = np.clip(np.array((150, 84, 66)) + tone, 0, 255)
            street[y : y + 7, max(x, 0) : max(x + 15, 0)] = brick
    for x in rng.integers(0, STREET[0] - 40, 7):
        street[34:78, x : x + 30] = rng.integers(120, 245, 3)
        cv2.circle(street, (int(x) + 15, 50), 9, rng.integers(20, 200, 3).tolist(), -1, cv2.LINE_AA)
        street[66:70, x + 5 : x + 25] = 40
    paint_ground(street, (104, 102, 102), (132, 128, 124))
    street[HORIZON : HORIZON + 6] = (168, 164, 156)


def park(street: Pixels, rng: np.random.Generator) -> None:
    """A hedge and trees behind a lawn, and a sandy path."""
    street[:HORIZON] = (176, 204, 220)
    for _ in range(900):
        centre = (int(rng.integers(STREET[0])), int(rng.integers(20, HORIZON)))
        green = np.clip(np.array((58, 104, 52)) + rng.normal(0, 16), 0, 255)
        cv2.circle(street, centre, int(rng.integers(4, 11)), green.tolist(), -1, cv2.LINE_AA)
    for x in range(20, STREET[0], 95):
        left = x + int(rng.integers(30))
        cv2.rectangle(street, (left, 0), (left + int(rng.integers(7, 14)), HORIZON + 6), (92, 70, 52), -1)
    paint_ground(street, (104, 140, 70), (126, 158, 84))
    street[HORIZON + 26 : HORIZON + 62] = (206, 188, 150)


def bicycles(street: Pixels, rng: np.random.Generator) -> None:
    """Bicycles parked before a concrete wall."""
    street[:HORIZON] = (158, 158, 152)
    for x in range(0, STREET[0], 80):
        cv2.line(street, (x, 0), (x, HORIZON), (134, 134, 130), 2)
    paint_ground(street, (120, 120, 122), (152, 150, 148))
    for x in range(0, STREET[0], 44):
        y, left = HORIZON - 8 + int(rng.integers(6)), x + int(rng.integers(12))
        colour = rng.integers(30, 220, 3).tolist()
        for wheel in (left, left + 30):
            cv2.circle(street, (wheel, y), 12, (44, 44, 46), 2, cv2.LINE_AA)
        frame = np.array([(left, y), (left + 11, y - 14), (left + 24, y - 14), (left + 14, y), (left, y)])
        cv2.polylines(street, [frame.astype(np.int32)], False, colour, 2, cv2.LINE_AA)
        cv2.line(street, (left + 30, y), (left + 23, y - 20), colour, 2, cv2.LINE_AA)
        cv2.line(street, (left + 8, y - 18), (left + 15, y - 18), (30, 30, 30), 3, cv2.LINE_AA)


def road(street: Pixels, rng: np.random.Generator) -> None:
    """Parked cars before houses, and a zebra crossing."""
    street[:HORIZON] = (204, 196, 180)
    for x in range(8, STREET[0], 34):
        for y in (8, 44):
            street[y : y + 22, x : x + 16] = (96, 112, 130)
    paint_ground(street, (78, 80, 86), (98, 100, 106))
    for x in range(-40, STREET[0], 44):
        stripe = np.array([(x, 190), (x + 22, 190), (x + 38, 132), (x + 22, 132)], np.int32)
        cv2.fillPoly(street, [stripe], (214, 214, 210), cv2.LINE_AA)
    for x in range(0, STREET[0], 120):
        colour = rng.integers(40, 220, 3).tolist()
        left = x + int(rng.integers(20))
        roof = np.array([(left + 18, 82), (left + 32, 62), (left + 68, 62), (left + 84, 82)], np.int32)
        cv2.fillPoly(street, [roof], (62, 76, 88), cv2.LINE_AA)
        cv2.rectangle(street, (left, 80), (left + 100, 104), colour, -1)
        for wheel in (left + 20, left + 80):
            cv2.circle(street, (wheel, 105), 10, (30, 30, 32), -1, cv2.LINE_AA)


def evening(street: Pixels, rng: np.random.Generator) -> None:
    """A square at dusk: lamps out of focus over dark houses."""
    rows = np.linspace(0, 1, HORIZON)[:, None, None]
    street[:HORIZON] = (np.array((60, 66, 104)) * (1 - rows) + np.array((128, 104, 106)) * rows).astype(
        np.uint8
    )
    for x in range(0, STREET[0], 48):
        top = int(rng.integers(16, 70))
        street[top:HORIZON, x : x + 44] = (62, 60, 74)
        for y in range(top + 6, HORIZON - 10, 16):
            for left in range(x + 6, x + 40, 13):
                street[y : y + 8, left : left + 6] = (236, 200, 120) if rng.random() < 0.4 else (48, 50, 66)
    for _ in range(26):
        centre = (int(rng.integers(STREET[0])), int(rng.integers(30, HORIZON)))
        warm = (250, int(rng.integers(160, 230)), int(rng.integers(90, 170)))
        cv2.circle(street, centre, int(rng.integers(3, 7)), warm, -1, cv2.LINE_AA)
    paint_ground(street, (82, 80, 92), (112, 108, 114))
    pave(street, (70, 68, 80))
