"""The distance up to which two images are called one identity, by how often others are then called so too."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from reid.contracts import Distance, Features, Labels
from reid.evaluation.verification import allowed_errors, verify


@dataclass(frozen=True)
class Threshold:
    """Pairs up to ``value``, equal ones among them, are called one identity."""

    value: float  # in the distance's units
    false_positive_rate: float  # the share of the non-matching pairs that it accepts


def threshold_at(
    query: Features,
    query_labels: Labels,
    gallery: Features,
    gallery_labels: Labels,
    *,
    distance: Distance,
    fpr: float = 1e-3,
    same_camera: Literal["exclude", "keep"] = "exclude",
    block: int = 128,
) -> Threshold:
    """The largest distance of a non-matching pair up to which at most ⌊fpr · N⌋ of all N such pairs lie.

    Where fewer than 1 / ``fpr`` pairs allow none, one is allowed: a rate of 1 / N. Where equal distances
    leave no such pair, it is the largest float32 below all of them, and the rate is 0.

    Args:
        distance, same_camera, block: as in `verify`, whose pairs these are.

    Raises:
        ValueError: as `verify`.
    """
    found = verify(
        query,
        query_labels,
        gallery,
        gallery_labels,
        distance=distance,
        largest_fpr=fpr,
        least_errors=1,
        same_camera=same_camera,
        block=block,
    )
    nearest, total = found.nearest_negatives.numpy(), found.negatives
    allowed = max(1, allowed_errors(fpr, total))
    accepted = total if allowed == total else int(nearest.searchsorted(nearest[allowed]))
    value = nearest[accepted - 1] if accepted else np.nextafter(nearest[0], np.float32(-np.inf))
    return Threshold(value=float(value), false_positive_rate=accepted / total)
