"""Heat maps -> keypoints: where each is highest, a little aside, and how high it is there."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

SHARPNESS = 25.0  # of the soft maximum: a Gaussian of peak 1 then weighs little beyond a pixel
NEAR = 6  # pixels around the highest one that the soft maximum looks at

Reading = Literal["argmax", "quarter", "soft"]
READINGS = ("argmax", "quarter", "soft")


def read_heatmaps(heatmaps: Tensor, *, reading: Reading = "quarter") -> Tensor:
    """(B, K, h, w) -> (B, K, 3) x, y in pixels of the maps, and confidence: the highest value.

    A map without a positive value says 0, 0 (PAMTRI's recipe).

    Args:
        heatmaps: any floats.
        reading: "argmax" is the highest pixel, the first of several. "quarter" moves it by a quarter of a
            pixel towards the higher of its two neighbours, across and down, unless it lies near an edge
            (published). "soft" is the mean of the pixels within 6 of it, weighted by exp(25 value).

    Raises:
        ValueError: another reading.
    """
    if reading not in READINGS:
        raise ValueError(f"model.reading={reading!r}: use {', '.join(READINGS[:-1])} or {READINGS[-1]}")
    heatmaps = heatmaps.float()
    width = heatmaps.shape[3]
    confidence, flat = heatmaps.flatten(2).max(2)  # (B, K)
    x, y = flat % width, torch.div(flat, width, rounding_mode="floor")
    places = torch.stack([x, y], 2).float()
    if reading == "quarter":
        places = places + 0.25 * slope(heatmaps, x, y)
    elif reading == "soft":
        places = soft_places(heatmaps, places)
    places = places * (confidence > 0)[..., None]
    return torch.cat([places, confidence[..., None]], 2)


def slope(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(B, K, 2): -1, 0 or 1 towards the higher neighbour of pixels x, y (B, K); 0 near an edge.

    The two first and the last of the columns and lines are near.
    """
    height, width = heatmaps.shape[2:]
    inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
    x, y = x.clamp(1, width - 2), y.clamp(1, height - 2)
    flat = heatmaps.flatten(2)

    def at(column: Tensor, line: Tensor) -> Tensor:
        return flat.gather(2, (line * width + column)[..., None])[..., 0]

    across, down = at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1)
    return torch.stack([across, down], 2).sign() * inner[..., None]


def soft_places(heatmaps: Tensor, places: Tensor) -> Tensor:
    """(B, K, 2): the weighted mean of the pixels near ``places``."""
    height, width = heatmaps.shape[2:]
    columns = torch.arange(width, device=heatmaps.device)
    lines = torch.arange(height, device=heatmaps.device)
    near_x = (columns - places[..., 0, None]).abs() <= NEAR  # (B, K, w)
    near_y = (lines - places[..., 1, None]).abs() <= NEAR
    far = ~(near_y[..., None] & near_x[..., None, :])
    weight = (SHARPNESS * heatmaps).masked_fill(far, -torch.inf).flatten(2).softmax(2).view_as(heatmaps)
    return torch.stack([(weight.sum(2) * columns).sum(2), (weight.sum(3) * lines).sum(2)], 2)


def with_mirrored(heatmaps: Tensor, mirrored: Tensor, *, pairs: Sequence[int], shift: bool = True) -> Tensor:
    """The mean of a picture's heat maps and those of its mirror image.

    Args:
        heatmaps: (B, K, h, w).
        mirrored: the same of the image turned left to right.
        pairs: what each keypoint becomes in a mirrored picture.
        shift: by a pixel to the right, which keeps the first column: at stride 4 the two lie 3/4 of a pixel
            apart (published).
    """
    back = mirrored[:, list(pairs)].flip(3)
    if shift:
        back = torch.cat([back[..., :1], back[..., :-1]], 3)
    return (heatmaps + back) / 2


def to_pictures(keypoints: Tensor, geometry: Tensor) -> Tensor:
    """Places moved by affine maps, their third numbers kept.

    Args:
        keypoints: (B, K, 3).
        geometry: (B, 2, 3).
    """
    places = keypoints[..., :2] @ geometry[:, :, :2].transpose(1, 2) + geometry[:, None, :, 2]
    return torch.cat([places, keypoints[..., 2:]], 2)
