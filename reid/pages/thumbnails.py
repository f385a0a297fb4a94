"""Pictures that a page carries in itself: small JPEG files as data URIs, each once."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import cv2

from reid.plots.sheet import Pixels, cell_size, read_rgb

AREA = 90 * 180  # pixels of a thumbnail, which a page shows at half that width or more
LIMIT = 7_000_000  # characters of all: a page stays below 10 MB
QUALITIES = (85, 70, 50, 30, 10)  # of JPEG; the first that keeps the limit


@dataclass(frozen=True)
class Thumbnails:
    """Data URIs in the order of the paths; None where there is no image to be read."""

    uris: Sequence[str | None]
    aspect: float  # width by height, of most


def thumbnails(paths: Sequence[Path], *, area: int = AREA, limit: int = LIMIT) -> Thumbnails:
    """The pictures in at most so many pixels each, and so many characters together."""
    images = [None if (image := read_rgb(path)) is None else shrink(image, area) for path in paths]
    found: list[str | None] = []
    for quality in QUALITIES:
        found = [None if image is None else data_uri(image, quality) for image in images]
        if sum(len(each or "") for each in found) <= limit:
            break
    width, height = cell_size([image for image in images if image is not None])
    return Thumbnails(found, width / height)


def shrink(image: Pixels, area: int) -> Pixels:
    """The same picture of at most so many pixels."""
    height, width = image.shape[:2]
    scale = sqrt(area / (height * width))
    if scale >= 1:
        return image
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    small: Pixels = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small


def data_uri(image: Pixels, quality: int) -> str:
    """(H, W, 3) RGB as a JPEG in a URI."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
