"""A page of pixels and texts, and cells of images on it."""

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reid.plots.style import DPI, FAINT, INK

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB

CELL_AREA = 64 * 128  # pixels: Market1501 as it is, and a sheet of nine queries below 2 MB
MARGIN, HEAD, GAP, FRAME = 24, 150, 10, 4  # pixels: a sheet's edge, a row's head, between cells, a frame
LINE, HEADING, CAPTION, KEY = 30, 44, 30, 56  # pixels of height; a line is one of the title's
LETTER = 18  # pixels of width of one of the title's
MISSING = "#C3C9D0"


class Sheet:
    """A white page on which pixels and texts are placed alike: x to the right and y down, in pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        # The renderer rounds inches x dpi down: half a pixel more keeps the size whole.
        self.figure = Figure(figsize=((width + 0.5) / DPI, (height + 0.5) / DPI))
        self.pixels: Pixels = np.full((height, width, 3), 255, np.uint8)

    def fill(self, x: int, y: int, colour: str, *, size: tuple[int, int]) -> None:
        """A rectangle of (width, height) and one colour."""
        self.pixels[y : y + size[1], x : x + size[0]] = np.rint(255 * np.array(to_rgb(colour)))

    def write(self, x: float, y: float, text: str, **style: Any) -> None:
        """A text by matplotlib's words of alignment and font."""
        self.figure.text(x / self.width, 1 - y / self.height, text, **style)


def draw_cell(
    sheet: Sheet, image: Pixels | None, *, x: int, y: int, size: tuple[int, int], colour: str
) -> None:
    """An image as large as its cell of (width, height) allows, in a frame around the cell."""
    width, height = size
    sheet.fill(x - FRAME, y - FRAME, colour, size=(width + 2 * FRAME, height + 2 * FRAME))
    sheet.fill(x, y, MISSING if image is None else FAINT, size=(width, height))
    if image is None:
        sheet.write(x + width / 2, y + height / 2, "no image", va="center", ha="center", size=6, color=INK)
        return
    scale = min(width / image.shape[1], height / image.shape[0])
    w, h = max(1, round(scale * image.shape[1])), max(1, round(scale * image.shape[0]))
    x, y = x + (width - w) // 2, y + (height - h) // 2
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    sheet.pixels[y : y + h, x : x + w] = cv2.resize(image, (w, h), interpolation=smooth)


def cell_size(images: Sequence[Pixels]) -> tuple[int, int]:
    """(width, height) of cells of one area and of the images' usual shape, within reason."""
    aspect = np.median([image.shape[1] / image.shape[0] for image in images]) if images else 0.5
    aspect = float(np.clip(aspect, 0.4, 2.0))
    return round(sqrt(CELL_AREA * aspect)), round(sqrt(CELL_AREA / aspect))


def read_rgb(path: Path) -> Pixels | None:
    """(H, W, 3) uint8, or None where there is no image to be read."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError:
        return None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if image is None else np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)
