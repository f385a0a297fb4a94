"""The share of correct keypoints (PCK), right and as PAMTRI's published tables count it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from reid.datasets.keypoints import KEYPOINTS

Floats = NDArray[np.float64]

SHARE = 0.25  # of the root of a box's area: the unit of errors
THRESHOLD, STRICT = 0.5, 0.1  # units
LEGACY_STRICT = 0.11  # the tables' column @0.1 reads one entry too far on a grid of 0.01
HALF = len(KEYPOINTS) // 2
GROUPS: Mapping[str, tuple[int, ...]] = {  # of the left side; its mirror images belong to them too
    "wheel": (0, 1),
    "fender": (2, 3, 4, 5, 6, 7, 8, 9),
    "back": (10, 11),
    "front": (16, 17),
    "windshield_back": (12, 13),
    "windshield_front": (14, 15),
}


def pck(predicted: Floats, true: Floats) -> dict[str, float]:
    """Of visible keypoints the share whose error is at most .5 units, or .1.

    A picture's unit is a quarter of the root of the area of the box around its visible keypoints.

    Args:
        predicted: (N, 36, 2 or more) x, y in pixels of the picture.
        true: (N, 36, 3) x, y and visibility, 0 or 1.

    Returns:
        ``pck``, ``pck_at_0.1`` and ``pck_<group>`` at .5. A group without a visible keypoint is left out, and
        so is a picture whose visible keypoints lie on one line along its edges: its box has no area.

    Raises:
        ValueError: no picture can be scored.
    """
    errors = errors_in_units(predicted, true)
    known = np.isfinite(errors)
    if not known.any():
        raise ValueError(f"{len(true)} pictures have no box of visible keypoints: there is nothing to score")
    figures = {
        "pck": share(errors <= THRESHOLD, known),
        f"pck_at_{STRICT}": share(errors <= STRICT, known),
    }
    for group, left in GROUPS.items():
        own = [*left, *(k + HALF for k in left)]
        if known[:, own].any():
            figures[f"pck_{group}"] = share(errors[:, own] <= THRESHOLD, known[:, own])
    return figures


def pck_legacy(predicted: Floats, true: Floats) -> dict[str, float]:
    """What PAMTRI's program and the MindSpore port report, whose published figures these are.

    Every picture's unit is a quarter of the root of the number of pictures, in pixels: the corners of its box
    are one list by two names, so that areas are 1, and one norm is taken over all pictures. The error has a
    third component, confidence less visibility. @0.1 is at .11. A group is the mean of its keypoints' shares,
    each over the pictures in which it is visible; one without any is left out of them.

    Args:
        predicted: (N, 36, 3) x, y in pixels of the picture, and confidence.
        true: (N, 36, 3) x, y and visibility, 0 or 1.

    Returns:
        ``pck_legacy``, ``pck_legacy_at_0.1`` and ``pck_legacy_<group>``.
    """
    visible = true[..., 2] > 0
    unit = SHARE * np.sqrt(len(true))
    errors = np.sqrt(np.square(predicted - true).sum(2)) / unit
    seen = visible.sum(0)  # (36,)
    shares = ((errors <= THRESHOLD) & visible).sum(0) / np.maximum(seen, 1)
    figures = {
        "pck_legacy": share(errors <= THRESHOLD, visible),
        f"pck_legacy_at_{STRICT}": share(errors <= LEGACY_STRICT, visible),
    }
    for group, left in GROUPS.items():
        own = [k for k in (*left, *(k + HALF for k in left)) if seen[k]]
        if own:
            figures[f"pck_legacy_{group}"] = float(shares[own].mean())
    return figures


def errors_in_units(predicted: Floats, true: Floats) -> Floats:
    """(N, 36) distances over a quarter of the root of each picture's box; inf where none is scored."""
    visible = true[..., 2] > 0
    low = np.min(np.where(visible[..., None], true[..., :2], np.inf), axis=1)  # (N, 2)
    high = np.max(np.where(visible[..., None], true[..., :2], -np.inf), axis=1)
    unit = SHARE * np.sqrt(np.prod(np.maximum(high - low, 0), axis=1))  # (N,)
    errors: Floats = np.sqrt(np.square(predicted[..., :2] - true[..., :2]).sum(2))
    scored = visible & (unit > 0)[:, None]
    units: Floats = np.divide(errors, unit[:, None], out=np.full(errors.shape, np.inf), where=scored)
    return units


def share(right: NDArray[np.bool_], known: NDArray[np.bool_]) -> float:
    """Of what is known the part that is right."""
    return float((right & known).sum() / max(1, known.sum()))
