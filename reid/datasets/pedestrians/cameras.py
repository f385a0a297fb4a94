"""Where the pedestrians walk: six cameras, each with its own street, lens, light, sensor and JPEG quality."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.datasets.pedestrians.streets import STREET, bicycles, bricks, evening, park, road, shop
from reid.datasets.pedestrians.view import Pixels


@dataclass(frozen=True)
class Camera:
    """One camera; its street is drawn once a process."""

    street: Callable[[Pixels, np.random.Generator], None]
    gain: tuple[float, float, float]  # of red, green and blue
    gamma: float
    contrast: float
    light: float  # from the left (< 0) or the right
    pitch: float  # radians it looks down
    fill: float  # height of an average person in the height of the box
    blur: float  # pixels
    noise: float  # grey levels
    quality: int  # of the JPEG


CAMERAS = (
    Camera(shop, (1.0, 1.0, 1.0), 1.0, 1.0, -0.6, 0.12, 0.90, 0.3, 3, 90),
    Camera(bricks, (1.10, 0.99, 0.86), 0.92, 0.92, 0.6, 0.20, 0.86, 0.5, 4, 82),
    Camera(park, (0.94, 1.06, 0.92), 1.15, 1.05, 0.8, 0.05, 0.93, 0.3, 3, 88),
    Camera(bicycles, (0.90, 0.97, 1.12), 1.05, 0.85, -0.3, 0.25, 0.84, 0.7, 4, 76),
    Camera(road, (1.06, 1.03, 1.0), 0.80, 0.88, -0.8, 0.15, 0.88, 0.4, 3, 84),
    Camera(evening, (0.92, 0.86, 1.06), 1.15, 0.9, 0.5, 0.10, 0.90, 0.8, 6, 76),
)


@cache
def open_street(camera: int, seed: int) -> Pixels:
    """The whole street (192, 720, 3) before a camera, RGB; read only."""
    rng = np.random.default_rng((seed, 0, camera))
    width, height = STREET
    street = np.empty((height, width, 3), np.uint8)
    CAMERAS[camera].street(street, rng)
    grain = cv2.resize(rng.normal(0, 7, (height // 2, width // 2)).astype(np.float32), STREET)
    street[:] = np.clip(street + grain[..., None], 0, 255)
    street.flags.writeable = False
    return street


def take_backdrop(camera: int, seed: int, rng: np.random.Generator, *, size: tuple[int, int]) -> Pixels:
    """A piece of the street, ``size`` = (width, height): near or far, a step to the left or right."""
    street = open_street(camera, seed)
    height = int(street.shape[0] * rng.uniform(0.7, 0.95))
    width = height * size[0] // size[1]
    top = int(rng.uniform(0.3, 1.0) * (street.shape[0] - height))
    left = int(rng.integers(street.shape[1] - width))
    piece = street[top : top + height, left : left + width]
    return cv2.resize(piece, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def photograph(picture: NDArray[np.float32], camera: Camera, rng: np.random.Generator) -> bytes:
    """Turn an ideal picture (H, W, 3), RGB 0..255, into the JPEG this camera would store."""
    soft = cv2.GaussianBlur(picture, (0, 0), camera.blur * rng.uniform(0.7, 1.4))
    exposure = np.array(camera.gain) * rng.normal(1.0, 0.03, 3) * rng.uniform(0.9, 1.1)
    tone = np.linspace(0, 1, 256)[:, None] ** (camera.gamma * rng.uniform(0.92, 1.08))
    curve = ((tone - 0.5) * camera.contrast + 0.5) * exposure * 255
    exposed = cv2.LUT(np.clip(soft, 0, 255).astype(np.uint8), curve[None].astype(np.float32))
    noisy = exposed + camera.noise * rng.standard_normal(picture.shape, np.float32)
    stored = np.clip(noisy, 0, 255).astype(np.uint8)
    quality = int(np.clip(camera.quality + rng.integers(-8, 9), 50, 95))
    done, encoded = cv2.imencode(".jpg", stored[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    assert done, "OpenCV encodes any uint8 picture as JPEG"
    return encoded.tobytes()
