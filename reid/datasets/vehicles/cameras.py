"""The six cameras: where each stands, what it sees of the traffic, its light, sensor and JPEG quality."""

from dataclasses import dataclass
from math import radians

import cv2
import numpy as np
from numpy.typing import NDArray

from reid.datasets.vehicles.models import Triple


@dataclass(frozen=True)
class Camera:
    """One camera; its street is the scene of the same number."""

    height: float  # metres above the road
    pitch: float  # radians below the horizon at which vehicles are seen
    azimuth: float  # radians from a vehicle's heading to the camera, counterclockwise: 0 shows fronts
    spread: float  # radians, one deviation of the azimuth from vehicle to vehicle
    both_ways: bool  # it sees vehicles that come from behind as well
    sun: Triple  # unit vector to the sun, x along the road
    shadow: float  # how dark
    gain: Triple  # of red, green and blue
    gamma: float
    contrast: float
    blur: float  # pixels
    noise: float  # grey levels
    quality: int  # of the JPEG


CAMERAS = (
    Camera(5.5, radians(13), radians(28), 0.16, False, (0.36, 0.48, 0.80), 0.50,
           gain=(1.0, 1.0, 1.0), gamma=1.0, contrast=1.0, blur=0.35, noise=2.5, quality=91),
    Camera(6.0, radians(17), radians(158), 0.16, False, (-0.48, 0.36, 0.80), 0.45,
           gain=(1.07, 1.0, 0.9), gamma=0.92, contrast=0.95, blur=0.45, noise=3, quality=90),
    Camera(4.8, radians(8), radians(92), 0.20, False, (0.0, 0.28, 0.96), 0.30,
           gain=(0.95, 1.0, 1.06), gamma=1.05, contrast=0.9, blur=0.5, noise=3, quality=88),
    Camera(5.8, radians(15), radians(-34), 0.18, False, (0.60, -0.48, 0.64), 0.50,
           gain=(1.05, 1.02, 0.96), gamma=0.9, contrast=1.05, blur=0.35, noise=2.5, quality=92),
    Camera(6.6, radians(22), radians(-142), 0.20, False, (-0.64, -0.48, 0.60), 0.40,
           gain=(0.94, 1.03, 0.98), gamma=1.1, contrast=0.95, blur=0.6, noise=3, quality=88),
    Camera(5.2, radians(7), radians(-75), 0.28, True, (0.48, 0.64, 0.60), 0.15,
           gain=(0.92, 0.86, 1.02), gamma=1.12, contrast=0.88, blur=0.7, noise=5, quality=86),
)  # fmt: skip


def photograph(picture: NDArray[np.float32], camera: Camera, rng: np.random.Generator) -> bytes:
    """Turn an ideal picture (H, W, 3), RGB 0..255, into the JPEG this camera would store."""
    soft = cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), camera.blur * rng.uniform(0.7, 1.4))
    tone = (soft / 255) ** (camera.gamma * rng.uniform(0.95, 1.05))
    exposure = np.array(camera.gain) * rng.normal(1, 0.015, 3) * rng.uniform(0.92, 1.08)
    exposed = ((tone - 0.5) * camera.contrast + 0.5) * exposure * 255
    noisy = exposed + camera.noise * rng.standard_normal(picture.shape, np.float32)
    stored = np.clip(noisy, 0, 255).astype(np.uint8)
    done, encoded = cv2.imencode(".jpg", stored[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, camera.quality))
    assert done, "OpenCV encodes any uint8 picture as JPEG"
    return encoded.tobytes()
