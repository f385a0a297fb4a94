"""Ranks share the queries, and what they find together is what one process finds."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from reid.callbacks.together import LEAST, gather_ranking, share
from reid.contracts import Features, Labels
from reid.evaluation import EuclideanDistance, Ranking, Tracks, rank, rows

CPU = torch.device("cpu")


def place(number: int, size: int, all_gather: Callable[[Tensor], Tensor] = torch.clone) -> Any:
    """A trainer, as far as sharing needs one."""
    return SimpleNamespace(
        world_size=size, global_rank=number, strategy=SimpleNamespace(all_gather=all_gather)
    )


@pytest.mark.parametrize("queries", [0, 1, LEAST - 1, LEAST, 2 * LEAST, 3368])
@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_shares_are_contiguous_and_never_tiny(queries: int, ranks: int) -> None:
    shares = [range(queries)[share(queries, place(number, ranks))] for number in range(ranks)]
    assert [row for own in shares for row in own] == list(range(queries))
    sizes = [len(own) for own in shares if len(own)]
    assert all(size >= min(LEAST, queries) for size in sizes)
    assert max(sizes, default=0) - min(sizes, default=0) <= 1


@pytest.mark.parametrize("by_track", [False, True])
@pytest.mark.parametrize("ranks", [2, 3])
def test_shares_make_the_ranking_of_one_process(ranks: int, by_track: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(101, 512, generator=generator), torch.randn(307, 512, generator=generator)
    query, gallery = (Features(embedding=e, pooled=e) for e in embedding)
    gallery.embedding[200:250] = gallery.embedding[:50]  # equal distances
    labels = [
        Labels(
            torch.randint(0, 20, (len(e),), generator=generator),
            torch.randint(0, 3, (len(e),), generator=generator),
        )
        for e in embedding
    ]
    tracks = None
    if by_track:
        numbers = (20 * labels[1].camera + labels[1].identity).tolist()
        tracks = Tracks.of(numbers, labels[1])

    def ranked(own: slice) -> Ranking:
        mine = Labels(labels[0].identity[own], labels[0].camera[own])
        part = rows(query, own)
        return rank(part, mine, gallery, labels[1], distance=EuclideanDistance(), top=10, tracks=tracks)

    whole = ranked(slice(None))
    parts = [ranked(share(101, place(number, ranks))) for number in range(ranks)]
    # every exchange is of one field of the parts: counts first, then padded rows
    fields = [lambda part: part.positives, lambda part: part.ranks]
    fields += [lambda part: part.top, lambda part: part.top_distance]
    turns = iter([turn for field in fields for turn in ((field, True), (field, False))])

    def all_gather(value: Tensor) -> Tensor:
        field, counting = next(turns)
        values = [field(part) for part in parts]
        if counting:
            return torch.tensor([len(each) for each in values])
        padded = [each.new_zeros((len(value), *each.shape[1:])) for each in values]
        for room, each in zip(padded, values, strict=True):
            room[: len(each)] = each
        return torch.stack(padded)

    together = gather_ranking(parts[0], place(0, ranks, all_gather), device=CPU)
    assert together.gallery_size == whole.gallery_size
    for name in ("ranks", "offsets", "top", "top_distance"):
        assert torch.equal(getattr(together, name), getattr(whole, name)), name
