"""CUHK03's single-shot protocol as it reads, one gallery and one image at a time: slow and obvious."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product

Image = tuple[int, int]  # identity, camera


def left(*, query: Image, gallery: Sequence[Image], same_camera: str = "exclude") -> dict[int, list[int]]:
    """Identity -> its gallery rows after the camera filter, both ascending; all but junk."""
    found: dict[int, list[int]] = {identity: [] for identity, _ in sorted(gallery) if identity != -1}
    for row, image in enumerate(gallery):
        own = image == query and image[1] != -1 and same_camera == "exclude"
        if image[0] != -1 and not own:
            found[image[0]].append(row)
    return found


def drawn_galleries(rows: dict[int, list[int]], draw: Sequence[Sequence[float]]) -> Iterator[list[int]]:
    """One gallery for each repeat of ``draw``, which holds a number in [0, 1) for each identity."""
    for numbers in draw:
        yield [here[int(u * len(here))] for here, u in zip(rows.values(), numbers, strict=True)]


def all_galleries(rows: dict[int, list[int]]) -> Iterator[list[int]]:
    """Every gallery that can be drawn, all of them equally likely."""
    yield from map(list, product(*rows.values()))


def place(gallery: Sequence[int], *, distances: Sequence[float], matches: Sequence[int]) -> int:
    """Where, from 1, a stable sort by distance puts the one match of a gallery."""
    order = sorted(gallery, key=lambda row: (distances[row], row))
    return 1 + next(k for k, row in enumerate(order) if row in matches)


def metrics(places: Sequence[Sequence[int]], ranks: Sequence[int]) -> dict[str, float]:
    """Means over the galleries of each query, and then over the queries."""

    def mean(values: Sequence[Sequence[Fraction]]) -> float:
        return float(sum(sum(some) / len(some) for some in values) / len(values))

    return {
        "mAP": mean([[Fraction(1, k) for k in some] for some in places]),
        **{f"rank{n}": mean([[Fraction(k <= n) for k in some] for some in places]) for n in ranks},
    }
