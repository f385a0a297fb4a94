"""Where a network looks: its last maps over the pictures, as re-ID papers show them."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib import rc_context
from numpy.typing import NDArray

from reid.plots.sheet import (
    FRAME,
    GAP,
    HEAD,
    LETTER,
    LINE,
    MARGIN,
    Pixels,
    Sheet,
    cell_size,
    draw_cell,
    read_rgb,
)
from reid.plots.style import FAINT, STYLE, write_png

HEAT = 0.7  # of the overlay; the rest is the picture


@dataclass(frozen=True)
class ActivatedRow:
    """Pictures that are to be compared, as one identity before several cameras."""

    title: str
    pictures: Sequence[Path]
    activation: NDArray[np.float32]  # (N, h, w), a map a picture


def activation(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps (B, C, h, w) to one (B, h, w): squares summed over the channels, of unit length a picture.

    As torchreid's visualize_actmap, after Zagoruyko and Komodakis, "Paying More Attention to Attention"
    (ICLR 2017).
    """
    total = np.square(maps).sum(1)  # (B, h, w)
    length = np.sqrt(np.square(total).sum((1, 2), keepdims=True))
    return np.asarray(total / np.maximum(length, 1e-12), np.float32)


def overlay(picture: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """The picture under one map (h, w), from its own least value in blue to its greatest in red."""
    height, width = picture.shape[:2]
    heat = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    heat = (heat - heat.min()) / max(float(np.ptp(heat)), 1e-12)
    colours = cv2.applyColorMap(np.rint(255 * heat).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    return np.rint(HEAT * colours + (1 - HEAT) * picture).astype(np.uint8)


@rc_context(STYLE)
def plot_activation(rows: Sequence[ActivatedRow], path: Path, *, title: str = "") -> Path:
    """A row's pictures side by side and, below each, what the network makes of it.

    A picture that cannot be read is a grey cell that says so. Colours compare places of one picture, not
    pictures.

    Raises:
        ValueError: without rows, or with a row of more or fewer maps than pictures.
    """
    for row in rows:
        if len(row.pictures) != len(row.activation):
            raise ValueError(f"{row.title}: {len(row.pictures)} pictures with {len(row.activation)} maps")
    if not rows:
        raise ValueError("0 rows to plot: give at least one")
    images = {file: read_rgb(file) for row in rows for file in row.pictures}
    size = cell_size([image for image in images.values() if image is not None])
    across, down = size[0] + 2 * FRAME + GAP, size[1] + 2 * FRAME
    width = 2 * MARGIN + HEAD - GAP + across * max(len(row.pictures) for row in rows)
    lines = textwrap.wrap(title, (width - 2 * MARGIN) // LETTER)
    top = MARGIN + LINE * len(lines) + (GAP if lines else 0)
    sheet = Sheet(width, top + (2 * down + 2 * GAP) * len(rows) - 2 * GAP + MARGIN)
    sheet.write(MARGIN, MARGIN, "\n".join(lines), va="top", size=12, weight="bold")
    for number, row in enumerate(rows):
        y = top + number * (2 * down + 2 * GAP)
        sheet.write(MARGIN, y + 4, row.title, va="top", size=9, weight="bold", linespacing=1.3)
        for place, (file, heat) in enumerate(zip(row.pictures, row.activation, strict=True)):
            x, picture = MARGIN + HEAD + FRAME + place * across, images[file]
            shown = None if picture is None else overlay(picture, heat)
            draw_cell(sheet, picture, x=x, y=y + FRAME, size=size, colour=FAINT)
            draw_cell(sheet, shown, x=x, y=y + FRAME + down, size=size, colour=FAINT)
    sheet.figure.figimage(sheet.pixels)
    return write_png(sheet.figure, path)
