"""Ranking and its scores as their definitions read, one gallery image at a time: slow and obvious."""

from collections.abc import Sequence
from fractions import Fraction


def ranked_gallery(
    distances: Sequence[float],
    *,
    query: tuple[int, int],
    gallery: Sequence[tuple[int, int]],
    same_camera: str = "exclude",
) -> list[int]:
    """Gallery rows from near to far for one query; query and gallery images are (identity, camera)."""
    order = []
    for row in sorted(range(len(gallery)), key=lambda row: (distances[row], row)):
        if gallery[row][0] == -1:
            continue
        if same_camera == "exclude" and gallery[row] == query and query[1] != -1:  # -1: a camera not known
            continue
        order.append(row)
    return order


def hits(order: Sequence[int], *, query: tuple[int, int], gallery: Sequence[tuple[int, int]]) -> list[bool]:
    """Place by place, whether the ranked gallery shows the query's identity."""
    return [gallery[row][0] == query[0] for row in order]


def cmc(lists: Sequence[Sequence[bool]], max_rank: int) -> list[float]:
    """Of the lists that have a hit, the share with one among the first 1 .. max_rank places."""
    scored = [places for places in lists if any(places)]
    return [sum(any(places[:k]) for places in scored) / len(scored) for k in range(1, max_rank + 1)]


def average_precision(places: Sequence[bool]) -> float:
    """The mean, over the hits, of the share of hits up to and including that place."""
    precisions = [Fraction(sum(places[: k + 1]), k + 1) for k, hit in enumerate(places) if hit]
    return float(sum(precisions) / len(precisions))


def average_precision_trapezoid(places: Sequence[bool]) -> float:
    """Walk down the list; each step adds the recall it gains times the mean precision of its two ends."""
    area, recall, precision = Fraction(0), Fraction(0), Fraction(1)
    found = 0
    for k, hit in enumerate(places):
        found += hit
        new_recall, new_precision = Fraction(found, sum(places)), Fraction(found, k + 1)
        area += (new_recall - recall) * (precision + new_precision) / 2
        recall, precision = new_recall, new_precision
    return float(area)


def inverse_negative_penalty(places: Sequence[bool]) -> float:
    """The number of hits over the place, counted from 1, where the last of them is found."""
    return float(Fraction(sum(places), max(k + 1 for k, hit in enumerate(places) if hit)))
