"""Threads that share an evaluation: in the mode of the one that asks, and none the fewer after."""

from collections.abc import Iterator

import pytest
import torch

from reid.contracts import Distance, Features, Labels
from reid.evaluation import (
    CosineDistance,
    EuclideanDistance,
    GlobalLocalDistance,
    LocalDistance,
    ReRanking,
    rank,
)
from reid.evaluation.threads import over_threads

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "distance",
    [
        CosineDistance(),
        EuclideanDistance(),
        LocalDistance(),
        LocalDistance(unaligned=True),
        GlobalLocalDistance(),
    ],
    ids=str,
)
@pytest.mark.parametrize("inference", [False, True])
def test_in_inference_mode_as_a_trainer_validates(distance: Distance, inference: bool) -> None:
    with torch.inference_mode(inference):
        stripes = torch.randn(300, 16, 4, generator=torch.Generator().manual_seed(0))
        query, gallery = (
            Features(part[:, :, 0].contiguous(), pooled=part[:, :, 0], stripes=part)
            for part in stripes.split([20, 280])
        )
        who, where = (
            Labels(torch.arange(20), torch.zeros(20)),
            Labels(torch.arange(280) % 30, torch.ones(280)),
        )
        first = rank(query, who, gallery, where, distance=distance, top=3)
        reranking = ReRanking(query, gallery, distance=distance)
        rank(reranking.query, who, gallery, where, distance=reranking)
    torch.set_num_threads(1)
    alone = rank(query, who, gallery, where, distance=distance, top=3)
    torch.set_num_threads(2)
    assert torch.equal(first.ranks, alone.ranks)
    assert torch.equal(first.top, alone.top)


def test_an_error_is_passed_on() -> None:
    def work(part: range) -> None:
        raise ValueError(f"in {len(part)}")

    with pytest.raises(ValueError, match="in 3"):
        over_threads(work, range(6), device=CPU)
