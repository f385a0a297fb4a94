"""Average query expansion as the paper's formula reads, one query at a time: slow and obvious."""

from collections.abc import Collection, Sequence
from fractions import Fraction


def expanded(
    query: Sequence[float],
    gallery: Sequence[Sequence[float]],
    *,
    distances: Sequence[float],
    k: int,
    junk: Collection[int] = (),
) -> list[float]:
    """(d_0 + d_1 + … + d_m) / (m + 1): a query and the m = k gallery images nearest to it, or all."""
    rows = [row for row in range(len(gallery)) if row not in junk]
    nearest = sorted(rows, key=lambda row: (distances[row], row))[:k]
    vectors = [query, *(gallery[row] for row in nearest)]
    return [float(sum(map(Fraction, values)) / len(vectors)) for values in zip(*vectors, strict=True)]
