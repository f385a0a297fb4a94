"""k-reciprocal re-ranking as the paper's text reads, with sets, loops and a dense matrix: slow, obvious."""

import math

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def reranked(
    distances: Matrix, queries: int, *, k1: int = 20, k2: int = 6, weight: float = 0.3, square: bool = False
) -> Matrix:
    """(queries, N − queries) from the distances among all N images, of which the queries come first."""
    if square:
        distances = distances**2
    original = (distances / distances.max(axis=0)).T
    order = [sorted(range(len(row)), key=lambda j, row=row: (row[j], j)) for row in original]
    neighbourhoods = [_neighbourhood(image, original, order, k1) for image in range(len(original))]
    encodings = [
        neighbourhoods[image] if k2 == 1 else _mean([neighbourhoods[j] for j in order[image][:k2]])
        for image in range(len(original))
    ]
    final = np.empty((queries, len(original) - queries))
    for q in range(queries):
        for g in range(queries, len(original)):
            jaccard = _jaccard_distance(encodings[q], encodings[g])
            final[q, g - queries] = (1 - weight) * jaccard + weight * original[q, g]
    return final


def k_reciprocal(image: int, order: list[list[int]], k: int) -> set[int]:
    """R(p, k): those among p's k nearest (and p itself) that have p among theirs."""
    return {other for other in order[image][: k + 1] if image in order[other][: k + 1]}


def _neighbourhood(image: int, original: Matrix, order: list[list[int]], k1: int) -> dict[int, float]:
    """R*(p, k1) with weights: a member brings its own half-sized set when two thirds of that are p's too."""
    members = k_reciprocal(image, order, k1)
    expanded = set(members)
    for member in members:
        theirs = k_reciprocal(member, order, int(np.around(k1 / 2)))
        if len(members & theirs) > 2 / 3 * len(theirs):
            expanded |= theirs
    weights = {other: math.exp(-original[image, other]) for other in expanded}
    total = sum(weights.values())
    return {other: value / total for other, value in weights.items()}


def _mean(encodings: list[dict[int, float]]) -> dict[int, float]:
    members = set().union(*encodings)
    return {j: sum(encoding.get(j, 0.0) for encoding in encodings) / len(encodings) for j in members}


def _jaccard_distance(one: dict[int, float], other: dict[int, float]) -> float:
    """1 − Σ min / Σ max; those that sum to 1 have Σ max = 2 − Σ min. Two without a member share nothing."""
    members = one.keys() | other.keys()
    least = sum(min(one.get(j, 0.0), other.get(j, 0.0)) for j in members)
    most = sum(max(one.get(j, 0.0), other.get(j, 0.0)) for j in members)
    return 1 - least / most if members else 1.0
