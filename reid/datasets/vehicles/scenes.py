"""The six streets: a room whose floor is a road and whose walls are what stands along it, open to the sky."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.datasets.vehicles.fleet import Colour
from reid.datasets.vehicles.view import Pinhole, Pixels

LENGTH, WIDTH, HEIGHT = 96, 44, 14  # metres; the road runs along x through the middle
FLOOR_SCALE, WALL_SCALE = 16, 12  # pixels a metre
LANES = (1.75, 5.25)  # metres from the middle of the road to those of its lanes
KERB = 7.2


class Scene(NamedTuple):
    """How one street looks."""

    walls: Callable[[Pixels, np.random.Generator], None]
    asphalt: Colour
    verge: Colour
    paved: bool  # the verge is a pavement, else grass
    line: Colour  # along the middle
    crossing: bool
    sky: tuple[Colour, Colour]  # above, and over the roofs


def fill_box(wall: Pixels, x: tuple[float, float], z: tuple[float, float], colour: Colour) -> None:
    """Fill a rectangle of a wall, given in metres along it and above the road."""
    left, right = (round(value * WALL_SCALE) for value in x)
    top, bottom = (round((HEIGHT - value) * WALL_SCALE) for value in (z[1], z[0]))
    cv2.rectangle(wall, (left, top), (right - 1, bottom - 1), colour, -1)


def wall_length(wall: Pixels) -> float:
    return float(wall.shape[1] / WALL_SCALE)


def shade_of(colour: Colour, rng: np.random.Generator, spread: float = 12) -> Colour:
    red, green, blue = (int(value) for value in np.clip(np.array(colour) + rng.normal(0, spread), 0, 255))
    return red, green, blue


def build_houses(wall: Pixels, rng: np.random.Generator) -> None:
    """Houses of several storeys with rows of windows."""
    x = 0.0
    while x < wall_length(wall):
        width, height = rng.uniform(9, 16), rng.uniform(7, 13)
        front = shade_of(
            ((186, 170, 148), (160, 96, 78), (196, 192, 182), (148, 152, 158))[rng.integers(4)], rng
        )
        fill_box(wall, (x, x + width), (0, height), front)
        for z in np.arange(1.2, height - 1.6, 2.8):
            for left in np.arange(x + 0.8, x + width - 1.4, 2.2):
                fill_box(wall, (left, left + 1.2), (z, z + 1.5), shade_of((74, 88, 102), rng))
        x += width


def build_shops(wall: Pixels, rng: np.random.Generator) -> None:
    """A row of shops with signs below offices."""
    fill_box(wall, (0, wall_length(wall)), (0, 11), (158, 158, 160))
    for x in np.arange(0, wall_length(wall), 6.0):
        fill_box(wall, (x + 0.3, x + 5.7), (0.4, 3.0), (92, 110, 120))
        sign = (int(rng.integers(40, 230)), int(rng.integers(40, 200)), int(rng.integers(40, 220)))
        fill_box(wall, (x + 0.1, x + 5.9), (3.1, 4.0), sign)
        for z in (5.0, 8.0):
            fill_box(wall, (x + 0.5, x + 5.5), (z, z + 1.8), shade_of((82, 98, 112), rng))


def plant_trees(wall: Pixels, rng: np.random.Generator) -> None:
    """A park: trunks, and leaves above a hedge."""
    fill_box(wall, (0, wall_length(wall)), (0, 4), (78, 96, 66))
    for x in np.arange(1, wall_length(wall), 4.0):
        left = x + rng.uniform(0, 2)
        fill_box(wall, (left, left + 0.35), (0, 5), shade_of((86, 68, 52), rng))
    for _ in range(3200):
        centre = int(rng.integers(wall.shape[1])), int((HEIGHT - rng.uniform(2.5, 9)) * WALL_SCALE)
        cv2.circle(wall, centre, int(rng.integers(5, 14)), shade_of((66, 104, 54), rng, 16), -1)
    fill_box(wall, (0, wall_length(wall)), (0, 1.1), (58, 84, 48))


def put_fence(wall: Pixels, rng: np.random.Generator) -> None:
    """A noise barrier of coloured panels on concrete."""
    for x in np.arange(0, wall_length(wall), 3.0):
        fill_box(wall, (x, x + 3), (0, 4.2), shade_of((134, 158, 152), rng, 7))
        fill_box(wall, (x, x + 0.25), (0, 4.5), (104, 108, 110))
    fill_box(wall, (0, wall_length(wall)), (0, 0.9), (150, 150, 146))
    for _ in range(900):
        centre = int(rng.integers(wall.shape[1])), int((HEIGHT - rng.uniform(4, 6)) * WALL_SCALE)
        cv2.circle(wall, centre, int(rng.integers(4, 9)), shade_of((72, 104, 66), rng), -1)


def build_halls(wall: Pixels, rng: np.random.Generator) -> None:
    """Industrial halls with gates."""
    x = 0.0
    while x < wall_length(wall):
        width, height = rng.uniform(14, 26), rng.uniform(6, 9)
        fill_box(wall, (x, x + width), (0, height), shade_of((156, 162, 170), rng))
        fill_box(wall, (x, x + width), (height - 0.7, height), shade_of((70, 98, 140), rng, 20))
        for left in np.arange(x + 2, x + width - 4, 6.0):
            fill_box(wall, (left, left + 3.4), (0, 3.6), shade_of((108, 112, 116), rng))
        x += width


def light_windows(wall: Pixels, rng: np.random.Generator) -> None:
    """Towers at dusk, some windows lit."""
    for x in np.arange(0, wall_length(wall), 11.0):
        height = rng.uniform(8, 13.5)
        fill_box(wall, (x, x + 10), (0, height), shade_of((70, 68, 82), rng, 6))
        for z in np.arange(1.5, height - 1.5, 2.4):
            for left in np.arange(x + 0.8, x + 9, 1.8):
                lit = rng.random() < 0.35
                fill_box(wall, (left, left + 1), (z, z + 1.3), (236, 204, 132) if lit else (50, 54, 68))


WHITE, YELLOW = (222, 222, 216), (214, 178, 70)
SCENES: tuple[Scene, ...] = (
    Scene(
        build_houses, (98, 98, 102), (166, 160, 152), True, WHITE, False, ((120, 160, 214), (196, 212, 226))
    ),
    Scene(
        plant_trees, (88, 88, 90), (104, 132, 72), False, YELLOW, False, ((136, 176, 220), (214, 224, 230))
    ),
    Scene(
        build_shops, (110, 110, 112), (178, 172, 164), True, YELLOW, True, ((176, 186, 196), (214, 216, 216))
    ),
    Scene(
        put_fence, (118, 116, 112), (120, 140, 84), False, WHITE, False, ((130, 164, 206), (210, 216, 220))
    ),
    Scene(
        build_halls, (126, 124, 120), (150, 146, 138), True, WHITE, True, ((164, 180, 196), (220, 222, 220))
    ),
    Scene(
        light_windows, (84, 82, 90), (112, 108, 112), True, YELLOW, False, ((64, 68, 108), (170, 132, 124))
    ),
)


def lay_floor(scene: Scene, rng: np.random.Generator) -> Pixels:
    """(WIDTH, LENGTH) metres of road and verge; row 0 lies at y = WIDTH / 2."""
    rows, columns = WIDTH * FLOOR_SCALE, LENGTH * FLOOR_SCALE
    floor = np.empty((rows, columns, 3), np.uint8)
    floor[:] = scene.verge

    def strip(y: float, width: float, colour: Colour, x: tuple[float, float] = (0, LENGTH)) -> None:
        top = round((WIDTH / 2 - y - width / 2) * FLOOR_SCALE)
        bottom = round((WIDTH / 2 - y + width / 2) * FLOOR_SCALE)
        floor[top:bottom, round(x[0] * FLOOR_SCALE) : round(x[1] * FLOOR_SCALE)] = colour

    if scene.paved:
        for step in np.arange(0, WIDTH / 2, 1.5):
            for side in (-1, 1):
                strip(side * (KERB + step), 0.06, shade_of(scene.verge, rng, 3))
        joint = tuple(int(value * 0.85) for value in scene.verge)
        floor[:, :: FLOOR_SCALE * 3 // 2] = joint
    strip(0, 2 * KERB, scene.asphalt)
    for side in (-1, 1):
        for lane in LANES:  # where tyres have darkened it
            for rut in (-0.8, 0.8):
                strip(side * (lane + rut), 0.5, shade_of(scene.asphalt, rng, 3))
        strip(side * KERB, 0.3, (172, 170, 164))
        strip(side * (KERB - 0.45), 0.14, WHITE)
        strip(side * 0.14, 0.13, scene.line)
        for x in np.arange(1, LENGTH, 6.0):
            strip(side * 3.5, 0.14, WHITE, (x, x + 2.6))
    if scene.crossing:
        for start in np.arange(6, LENGTH, 22.0):
            for y in np.arange(-KERB + 0.9, KERB - 0.6, 1.1):
                strip(y, 0.55, WHITE, (start, start + 3))
    grain = rng.normal(0, 6, (rows, columns)).astype(np.float32)
    blotches = cv2.resize(rng.normal(0, 7, (rows // 24, columns // 24)).astype(np.float32), (columns, rows))
    laid: Pixels = np.clip(floor + (grain + blotches)[..., None], 0, 255).astype(np.uint8)
    return laid


def raise_walls(scene: Scene, rng: np.random.Generator) -> Pixels:
    """(HEIGHT, 2 (LENGTH + WIDTH)) metres: all around, from the corner of least x and y along x."""
    shape = HEIGHT * WALL_SCALE, 2 * (LENGTH + WIDTH) * WALL_SCALE
    share = np.linspace(0, 1, shape[0])[:, None, None]
    sky = np.array(scene.sky[0]) * (1 - share) + np.array(scene.sky[1]) * share
    walls = np.ascontiguousarray(np.broadcast_to(sky, (*shape, 3)).astype(np.uint8))
    scene.walls(walls, rng)
    grain = rng.normal(0, 5, shape).astype(np.float32)
    raised: Pixels = np.clip(walls + grain[..., None], 0, 255).astype(np.uint8)
    return raised


@cache
def open_street(camera: int, seed: int) -> tuple[Pixels, Pixels]:
    """Floor and walls before a camera, drawn once a process; read only."""
    rng = np.random.default_rng((seed, 2, camera))
    floor, walls = lay_floor(SCENES[camera], rng), raise_walls(SCENES[camera], rng)
    floor.flags.writeable = walls.flags.writeable = False
    return floor, walls


def take_backdrop(camera: int, seed: int, eye: Pinhole, *, size: tuple[int, int]) -> NDArray[np.float32]:
    """(height, width, 3) RGB of the empty street as ``eye`` sees it, whose metres are those of the street."""
    floor, walls = open_street(camera, seed)
    rays = eye.rays(size)
    half = np.array((LENGTH / 2, WIDTH / 2))
    x, y, z = eye.position
    with np.errstate(divide="ignore"):
        to_end = (np.sign(rays[..., 0]) * half[0] - x) / rays[..., 0]
        to_side = (np.sign(rays[..., 1]) * half[1] - y) / rays[..., 1]
        to_floor = np.where(rays[..., 2] < 0, -z / rays[..., 2], np.inf)
    reach = np.minimum(np.minimum(to_end, to_side), to_floor)
    at = np.array(eye.position) + reach[..., None] * rays
    ground = remap(floor, (at[..., 0] + half[0]) * FLOOR_SCALE, (half[1] - at[..., 1]) * FLOOR_SCALE)

    ahead, aside = rays[..., 0] > 0, rays[..., 1] > 0
    along_side = np.where(aside, LENGTH + WIDTH + half[0] - at[..., 0], at[..., 0] + half[0])
    along_end = np.where(ahead, LENGTH + at[..., 1] + half[1], 2 * LENGTH + WIDTH + half[1] - at[..., 1])
    along = np.where(to_side < to_end, along_side, along_end)
    upright = remap(walls, along * WALL_SCALE, (HEIGHT - at[..., 2]) * WALL_SCALE)
    return np.where((to_floor <= reach)[..., None], ground, upright).astype(np.float32)


def remap(texture: Pixels, x: NDArray[np.float64], y: NDArray[np.float64]) -> Pixels:
    """What lies at (x, y) from a texture's upper left corner, in its pixels."""
    columns, rows = (x - 0.5).astype(np.float32), (y - 0.5).astype(np.float32)
    found = cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(np.uint8, copy=False)
