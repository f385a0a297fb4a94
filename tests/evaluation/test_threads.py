"""Threads of ours see what the caller sees, and leave torch as it was."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F

from reid.contracts import Features, Labels
from reid.evaluation import (
    CosineDistance,
    EuclideanDistance,
    GlobalLocalDistance,
    LocalDistance,
    ReRanking,
    rank,
)
from reid.evaluation.threads import over_threads

DISTANCES = [CosineDistance(), EuclideanDistance(), LocalDistance(), GlobalLocalDistance()]


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def side(images: int) -> tuple[Features, Labels]:
    g = torch.Generator().manual_seed(images)
    embedding = torch.randn(images, 8, generator=g)
    stripes = F.normalize(torch.randn(images, 6, 4, generator=g), dim=1)
    identity = torch.randint(1, 5, (images,), generator=g)
    return Features(embedding=embedding, pooled=embedding, stripes=stripes), Labels(identity, identity % 3)


@pytest.mark.parametrize("distance", DISTANCES)
def test_an_evaluation_of_lightning_runs_in_inference_mode(distance, three_threads: None) -> None:
    query, gallery = side(40), side(700)  # gallery images of several tiles
    expected = rank(*query, *gallery, distance=distance)
    graph = ReRanking(query[0], gallery[0], distance=distance)
    again = rank(graph.query, query[1], *gallery, distance=graph)
    with torch.inference_mode():
        query, gallery = side(40), side(700)
        assert torch.equal(rank(*query, *gallery, distance=distance).ranks, expected.ranks)
        graph = ReRanking(query[0], gallery[0], distance=distance)
        assert torch.equal(rank(graph.query, query[1], *gallery, distance=graph).ranks, again.ranks)


@pytest.mark.parametrize("inference", [False, True])
def test_modes_are_the_callers_and_threads_are_given_back(inference: bool, three_threads: None) -> None:
    seen = []

    def work(part: range) -> None:
        seen.append((torch.is_inference_mode_enabled(), torch.is_grad_enabled(), torch.get_num_threads()))

    with torch.inference_mode(inference):
        over_threads(work, range(6), device=torch.device("cpu"))
    assert seen == [(inference, False, 1)] * 3
    assert torch.get_num_threads() == 3


def test_an_error_in_a_thread_is_the_callers(three_threads: None) -> None:
    def work(part: range) -> None:
        raise ValueError("diverged")

    with pytest.raises(ValueError, match="diverged"):
        over_threads(work, range(6), device=torch.device("cpu"))
    assert torch.get_num_threads() == 3
