"""Distances against float64 formulas, and their promises: float32, out of autocast, inputs untouched."""

import pytest
import torch
from torch import Tensor

from reid.contracts import Features
from reid.evaluation import CosineDistance, EuclideanDistance


def features(embedding: Tensor) -> Features:
    return Features(embedding=embedding, pooled=embedding)


def random_pair(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(5, 48, generator=generator), torch.randn(9, 48, generator=generator)
    return query.to(dtype), gallery.to(dtype)


def squared_euclidean(query: Tensor, gallery: Tensor) -> Tensor:
    return (query.double()[:, None] - gallery.double()[None]).square().sum(2)


def unit(x: Tensor) -> Tensor:
    return x.double() / x.double().square().sum(1, keepdim=True).sqrt()


def test_euclidean_is_squared() -> None:
    distance = EuclideanDistance()(
        features(torch.tensor([[0.0, 0.0], [1.0, 1.0]])), features(torch.tensor([[3.0, 4.0]]))
    )
    assert distance.tolist() == [[25.0], [13.0]]


def test_cosine_by_hand() -> None:
    gallery = torch.tensor([[5.0, 0.0], [0.0, 0.1], [-2.0, 0.0], [3.0, 4.0]])
    distance = CosineDistance()(features(torch.tensor([[2.0, 0.0]])), features(gallery))
    torch.testing.assert_close(distance, torch.tensor([[0.0, 1.0, 2.0, 0.4]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_against_float64(dtype: torch.dtype) -> None:
    query, gallery = random_pair(dtype)
    pair = features(query), features(gallery)
    expected = {
        EuclideanDistance(): squared_euclidean(query, gallery),
        EuclideanDistance(normalize=True): squared_euclidean(unit(query), unit(gallery)),
        CosineDistance(): 1 - unit(query) @ unit(gallery).T,
    }
    for distance, wanted in expected.items():
        found = distance(*pair)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("distance", [EuclideanDistance(), CosineDistance()])
def test_autocast_does_not_lower_it(distance: EuclideanDistance | CosineDistance) -> None:
    query, gallery = map(features, random_pair())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lowered = distance(query, gallery)
    assert torch.equal(lowered, distance(query, gallery))


@pytest.mark.parametrize("distance", [EuclideanDistance(), CosineDistance()])
def test_inputs_stay_as_they_were(distance: EuclideanDistance | CosineDistance) -> None:
    query, gallery = random_pair()
    before = query.clone(), gallery.clone()
    distance(features(query), features(gallery))
    assert torch.equal(query, before[0])
    assert torch.equal(gallery, before[1])


def test_a_zero_embedding_is_at_a_right_angle_to_everything() -> None:
    distance = CosineDistance()(features(torch.zeros(1, 4)), features(torch.eye(4)))
    assert distance.tolist() == [[1.0] * 4]
