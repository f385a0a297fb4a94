"""One picture of one vehicle: where both stand, what is cut out, and where the keypoints lie in it."""

from dataclasses import replace
from math import cos, pi, sin, tan
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.datasets.keypoints import KEYPOINTS, SIDES
from reid.datasets.vehicles.body import draw_vehicle
from reid.datasets.vehicles.cameras import CAMERAS, Camera, photograph
from reid.datasets.vehicles.fleet import Vehicle, meet_vehicle
from reid.datasets.vehicles.models import FACES, GREENHOUSE, Points, Triple
from reid.datasets.vehicles.scenes import LANES, take_backdrop
from reid.datasets.vehicles.view import Painter, Pinhole, Pixels

FINER = 3  # vehicles are drawn so many times larger, then averaged down
STRANGERS = (2000, 2200)  # numbers that nobody is asked for
WIDTHS, HEIGHT = (88.0, 190.0), 190.0  # pixels of the vehicle in a picture

# The second word of every generator's seed: what one picture shows never depends on how many are drawn.
PASS, SHOT = 3, 4


class Picture(NamedTuple):
    """A picture and what is known of it."""

    jpeg: bytes
    size: tuple[int, int]  # width, height in pixels
    keypoints: Points  # (36, 2) pixels, which may lie outside
    visible: NDArray[np.bool_]  # (36,)


class Stand(NamedTuple):
    """Where a vehicle is on the street, and the camera as the vehicle sees it."""

    place: Triple  # metres on the street
    heading: float  # radians from the street's x
    eye: Pinhole


def take_picture(seed: int, identity: int, camera: int, shot: int) -> Picture:
    """A vehicle that passes a camera for the ``shot``-th time within moments."""
    vehicle, setting = meet_vehicle(seed, identity), CAMERAS[camera]
    moment = np.random.default_rng((seed, SHOT, identity, camera, shot))
    stand = stand_before(setting, np.random.default_rng((seed, PASS, identity, camera)), moment)
    eye, size = crop(stand.eye, vehicle, moment)
    stand = stand._replace(eye=eye)

    canvas = np.zeros((size[1] * FINER, size[0] * FINER, 4), np.uint8)
    sun = turn(setting.sun, -stand.heading)
    if moment.random() < 0.3:
        stranger = meet_vehicle(seed, int(moment.integers(*STRANGERS)))
        draw_behind(canvas, stranger, eye, sun=sun)
    painter = Painter(canvas, vehicle.keypoints, eye, sun=sun, finer=FINER)
    draw_vehicle(painter, vehicle)

    street = take_backdrop(camera, seed, eye.seen_from(stand.place, stand.heading), size=size)
    street = street * (1 - np.float32(setting.shadow) * cast_shadow(vehicle, eye, sun, size=size)[..., None])
    drawn = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    picture = drawn[..., :3] + street * (1 - drawn[..., 3:] / np.float32(255))
    keypoints = eye.project(vehicle.keypoints)
    inside = ((keypoints > -0.5) & (keypoints < np.array(size) - 0.5)).all(1)
    visible = inside & find_unhidden(painter, keypoints)
    return Picture(photograph(picture, setting, moment), size, keypoints, visible)


def stand_before(camera: Camera, way: np.random.Generator, moment: np.random.Generator) -> Stand:
    """``way`` says what is kept from shot to shot: direction, lane and where the vehicle turns to."""
    back = camera.both_ways and way.random() < 0.5
    lane = LANES[int(way.integers(len(LANES)))]
    kept = float(np.clip(way.normal(0, camera.spread), -2 * camera.spread, 2 * camera.spread))
    drift = float(np.clip(moment.normal(0, 0.07), -0.14, 0.14))
    azimuth = camera.azimuth + kept + drift + (pi if back else 0.0)
    heading = (pi if back else 0.0) + 0.3 * (kept + drift)
    place = (moment.uniform(-14, 14), lane if back else -lane, 0.0)
    distance = camera.height / tan(camera.pitch * moment.uniform(0.85, 1.15))
    position = (distance * cos(azimuth), distance * sin(azimuth), camera.height)
    look = azimuth + pi + moment.normal(0, 0.05)
    return Stand(place, heading, Pinhole(position, look, camera.pitch * 0.95))


def crop(eye: Pinhole, vehicle: Vehicle, moment: np.random.Generator) -> tuple[Pinhole, tuple[int, int]]:
    """The camera of a box around the vehicle, and its width and height: tight, or at times too tight."""
    ground = vehicle.keypoints[[0, 1, 18, 19]] * (1, 1, 0)
    seen = eye.project(np.concatenate([vehicle.keypoints, ground]))
    low, extent = seen.min(0), np.ptp(seen, axis=0)
    focal = moment.uniform(*WIDTHS) / extent[0]
    focal *= min(1.0, HEIGHT / (focal * extent[1]))
    margins = moment.uniform(0.05, 0.12, 4)  # left, top, right, bottom
    if moment.random() < 0.1:
        margins[moment.integers(4)] = -moment.uniform(0.05, 0.18)
    left, top, right, bottom = margins
    width, height = extent * focal
    size = round(width * (1 + left + right)), round(height * (1 + top + bottom))
    centre = float(left * width - low[0] * focal), float(top * height - low[1] * focal)
    return replace(eye, focal=focal, centre=centre), size


def turn(vector: Triple, angle: float) -> Triple:
    x, y, z = vector
    return x * cos(angle) - y * sin(angle), x * sin(angle) + y * cos(angle), z


def draw_behind(canvas: Pixels, stranger: Vehicle, eye: Pinhole, *, sun: Triple) -> None:
    """Another vehicle in the next lane but one, away from the camera."""
    side = -1 if eye.position[1] > 0 else 1
    aside = (-1.5, -side * 4.2, 0.0)
    there = eye.seen_from(aside, 0.0)
    if abs(eye.position[1]) > 6:  # else it would stand beside, at times before
        draw_vehicle(Painter(canvas, stranger.keypoints, there, sun=sun, finer=FINER), stranger)


def cast_shadow(vehicle: Vehicle, eye: Pinhole, sun: Triple, *, size: tuple[int, int]) -> NDArray[np.float32]:
    """(height, width) in 0..1: where the vehicle takes the street's light."""
    body = vehicle.keypoints
    fallen = body - np.array(sun) * (body[:, 2:] / sun[2])
    foot = body[[10, 17, 28, 35]] * (1, 1, 0)
    mask = np.zeros(size[::-1], np.float32)
    for ground, depth in ((np.concatenate([fallen, foot]), 0.8), (foot, 1.5)):
        outline = cv2.convexHull(np.rint(eye.project(ground * (1, 1, 0)) * 16).astype(np.int32))
        cv2.fillPoly(mask, [outline], depth, cv2.LINE_8, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.2), np.float32)


def own_faces(keypoint: int) -> list[str]:
    """The faces a keypoint lies on; wheels and arches lie on the side."""
    if keypoint % 18 < 10:
        return [f"{SIDES[keypoint // 18]} side"]
    return [face for face, corners in FACES.items() if keypoint in corners]


def find_unhidden(painter: Painter, keypoints: Points) -> NDArray[np.bool_]:
    """(36,) keypoints on a face that is turned to the camera, and not behind the greenhouse."""
    facing = painter.facing
    glass = [(face, keypoints[list(FACES[face])].astype(np.float32)) for face in GREENHOUSE if facing[face]]
    unhidden = np.zeros(len(KEYPOINTS), bool)
    for k, point in enumerate(keypoints):
        own = own_faces(k)
        before = [quad for face, quad in glass if face not in own]
        unhidden[k] = any(facing[face] for face in own) and not any(
            cv2.pointPolygonTest(quad, (float(point[0]), float(point[1])), True) > 0.5 for quad in before
        )
    return unhidden
