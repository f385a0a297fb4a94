"""What a detector cuts out of the six videos: people, people badly cut, and things taken for people."""

from functools import cache
from math import pi

import cv2
import numpy as np

from reid.datasets.pedestrians.cameras import CAMERAS, photograph, take_backdrop
from reid.datasets.pedestrians.draw import draw_person
from reid.datasets.pedestrians.people import Person, meet_person
from reid.datasets.pedestrians.view import Pixels, Pose

SIZE = (64, 128)  # width, height of a box, as Market-1501's
FINER = 3  # figures are drawn so many times larger, then averaged down

# The second word of every generator's seed: what one picture shows never depends on how many are drawn.
LOOKS, WALK, BOX, STRANGER, JUNK, DISTRACTOR = range(1, 7)


@cache
def find_person(seed: int, identity: int) -> Person:
    return meet_person(np.random.default_rng((seed, LOOKS, identity)))


def box_person(seed: int, identity: int, camera: int, shot: int) -> bytes:
    """JPEG of an identity before a camera; the direction of the walk is kept from shot to shot."""
    heading = np.random.default_rng((seed, WALK, identity, camera)).uniform(-pi, pi)
    rng = np.random.default_rng((seed, BOX, identity, camera, shot))
    pose = strike_pose(camera, heading, rng)
    canvas = blank_canvas()
    crowd = rng.random()
    if crowd < 0.1:
        aside = pose.feet[0] + rng.choice((-1, 1)) * pose.height * rng.uniform(0.2, 0.3)
        other = strike_pose(camera, rng.uniform(-pi, pi), rng)._replace(feet=(aside, pose.feet[1] - 6))
        stranger = meet_person(np.random.default_rng((seed, STRANGER, identity, camera, shot)))
        draw_person(canvas, stranger, other)
    draw_person(canvas, find_person(seed, identity), pose)
    if crowd > 0.9:
        block_view(canvas, rng)
    return develop(canvas, pose, seed, camera, rng)


def box_junk(seed: int, identity: int, camera: int, shot: int) -> bytes:
    """JPEG of an identity of the test in a box so bad that it counts neither for nor against."""
    rng = np.random.default_rng((seed, JUNK, identity, camera, shot))
    pose = miss(strike_pose(camera, rng.uniform(-pi, pi), rng), rng)
    canvas = blank_canvas()
    draw_person(canvas, find_person(seed, identity), pose)
    return develop(canvas, pose, seed, camera, rng)


def box_distractor(seed: int, camera: int, shot: int) -> bytes:
    """JPEG of nobody the test asks for: an empty street, a piece of a stranger, or a whole one."""
    rng = np.random.default_rng((seed, DISTRACTOR, camera, shot))
    pose = strike_pose(camera, rng.uniform(-pi, pi), rng)
    canvas = blank_canvas()
    kind = rng.random()
    if kind > 0.3:
        pose = miss(pose, rng) if kind < 0.6 else pose
        draw_person(canvas, meet_person(rng), pose)
    else:
        pose = pose._replace(feet=(0.0, 2.0 * canvas.shape[0]))  # nobody: the shadow falls outside as well
        block_view(canvas, rng)
    return develop(canvas, pose, seed, camera, rng)


def blank_canvas() -> Pixels:
    return np.zeros((SIZE[1] * FINER, SIZE[0] * FINER, 4), np.uint8)


def strike_pose(camera: int, heading: float, rng: np.random.Generator) -> Pose:
    """A moment of the gait, in a box that fits as a detector's does: nearly."""
    width, height = SIZE[0] * FINER, SIZE[1] * FINER
    return Pose(
        yaw=heading + rng.normal(0, 0.25),
        phase=rng.uniform(0, 2 * pi),
        stride=rng.uniform(0.15, 0.5),
        height=CAMERAS[camera].fill * height * rng.uniform(0.92, 1.06),
        feet=(width * (0.5 + rng.normal(0, 0.045)), height * (0.965 + rng.normal(0, 0.015))),
        pitch=CAMERAS[camera].pitch,
    )


def miss(pose: Pose, rng: np.random.Generator) -> Pose:
    """The same moment in a box that holds half of the person, or little but the street."""
    x, y = pose.feet
    if rng.random() < 0.5:
        return pose._replace(height=pose.height * 1.8, feet=(x, y * rng.uniform(1.0, 1.7)))
    aside = rng.choice((-1, 1)) * pose.height * rng.uniform(0.17, 0.25)
    return pose._replace(feet=(x + aside, y * rng.uniform(0.7, 1.3)))


def block_view(canvas: Pixels, rng: np.random.Generator) -> None:
    """Put a post, a litter bin or a bush before whoever stands there, in place."""
    height, width = canvas.shape[:2]
    colour = (*(int(c) for c in rng.integers(40, 190, 3)), 255)
    dark = (*(c * 2 // 3 for c in colour[:3]), 255)
    x, kind = int(rng.uniform(0.15, 0.85) * width), rng.integers(3)
    if kind == 0:
        cv2.rectangle(canvas, (x - 9, 0), (x + 9, height), colour, -1)
        cv2.rectangle(canvas, (x + 3, 0), (x + 9, height), dark, -1)
    elif kind == 1:
        top = int(rng.uniform(0.62, 0.76) * height)
        cv2.rectangle(canvas, (x - 34, top), (x + 34, height), colour, -1)
        cv2.rectangle(canvas, (x - 38, top - 12), (x + 38, top + 8), dark, -1)
    else:
        for _ in range(28):
            leaf = (x + int(rng.normal(0, 30)), height - int(abs(rng.normal(0, 44))))
            green = np.clip(np.array((60, 110, 54)) + rng.normal(0, 16), 0, 255)
            cv2.circle(canvas, leaf, int(rng.integers(12, 22)), (*(int(c) for c in green), 255), -1)


def develop(canvas: Pixels, pose: Pose, seed: int, camera: int, rng: np.random.Generator) -> bytes:
    """Set the figures into their street with light and shadow, and take the photograph."""
    street = take_backdrop(camera, seed, rng, size=SIZE).astype(np.float32)
    ground = np.zeros(SIZE[::-1], np.float32)
    foot = (round(pose.feet[0] / FINER), round(pose.feet[1] / FINER))
    cv2.ellipse(ground, foot, (round(0.16 * pose.height / FINER), 4), 0, 0, 360, 0.45, -1)
    street *= 1 - cv2.GaussianBlur(ground, (0, 0), 2)[..., None]

    figures = cv2.resize(canvas, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    cover = figures[..., 3:] / 255
    relief = cv2.Sobel(cv2.GaussianBlur(cover, (0, 0), 3), cv2.CV_32F, 1, 0) * CAMERAS[camera].light
    creases = rng.normal(0, 0.08, (SIZE[1] // 6, SIZE[0] // 6)).astype(np.float32)
    folds = cv2.resize(creases, SIZE, interpolation=cv2.INTER_CUBIC)
    figures = figures[..., :3] * np.clip(1 + relief + folds, 0.4, 1.6)[..., None]
    return photograph(figures + street * (1 - cover), CAMERAS[camera], rng)
