"""Verification as its definition reads: every threshold tried on every pair, slow and obvious."""

from collections.abc import Sequence
from fractions import Fraction
from math import floor

Image = tuple[int, int]  # identity, camera


def pairs(
    distances: Sequence[Sequence[float]],
    *,
    query: Sequence[Image],
    gallery: Sequence[Image],
    same_camera: str = "exclude",
) -> tuple[list[float], list[float]]:
    """The distances of the matching pairs, and of the others."""
    positives, negatives = [], []
    for q, wanted in enumerate(query):
        for g, image in enumerate(gallery):
            if image[0] == -1:
                continue
            if image[0] != wanted[0]:
                negatives.append(distances[q][g])
            elif same_camera == "keep" or image[1] != wanted[1] or image[1] == -1:
                positives.append(distances[q][g])
    return positives, negatives


def true_positive_rate(positives: Sequence[float], negatives: Sequence[float], fpr: Fraction) -> float:
    """The largest share of positives that a threshold accepts with few enough negatives."""
    best = 0  # of a threshold below all distances
    for threshold in {*positives, *negatives}:
        false = sum(distance <= threshold for distance in negatives)
        if false <= floor(fpr * len(negatives)):
            best = max(best, sum(distance <= threshold for distance in positives))
    return float(Fraction(best, len(positives)))


def threshold(negatives: Sequence[float], fpr: Fraction) -> tuple[float | None, Fraction]:
    """The largest negative up to which few enough lie, one being few enough; and their share of all."""
    allowed = max(1, floor(fpr * len(negatives)))
    best, share = None, Fraction(0)
    for value in negatives:
        false = sum(distance <= value for distance in negatives)
        if false <= allowed and (best is None or value > best):
            best, share = value, Fraction(false, len(negatives))
    return best, share
