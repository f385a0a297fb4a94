"""The attribute loss against formulas and loops."""

import math

import pytest
import torch
from oracles_losses import smoothed_cross_entropy
from torch import Tensor

from reid.contracts import Batch, Features
from reid.losses import AttributeLoss


def batch_of(**attributes: Tensor) -> Batch:
    rows = torch.arange(4)
    image = torch.zeros(4, 3, 8, 4)
    return Batch(
        image=image, identity=rows, camera=rows, index=rows, is_query=rows > 4, attributes=attributes
    )


def scored(**attributes: Tensor) -> Features:
    embedding = torch.zeros(4, 2)
    return Features(embedding=embedding, pooled=embedding, attributes=attributes)


COLOR, TYPE = torch.tensor([0, 9, 4, 4]), torch.tensor([8, 0, 1, 1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_zero_scores_cost_the_logs_of_the_numbers_of_values(smoothing: float) -> None:
    features = scored(color=torch.zeros(4, 10), type=torch.zeros(4, 9))
    value = AttributeLoss(smoothing=smoothing)(features, batch_of(color=COLOR, type=TYPE))
    assert value.shape == ()
    assert value.item() == pytest.approx(math.log(10) + math.log(9), rel=1e-6)


def test_it_does_not_smooth_unless_asked() -> None:
    # Scores ln 3 and 0 give the first value three quarters.
    features = scored(color=torch.tensor([[math.log(3), 0.0]]).expand(4, 2))
    batch = batch_of(color=torch.zeros(4, dtype=torch.int64))
    assert AttributeLoss()(features, batch).item() == pytest.approx(-math.log(3 / 4), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_and_its_gradient_equal_the_loop(smoothing: float) -> None:
    torch.manual_seed(0)
    color = torch.randn(4, 10, dtype=torch.float64, requires_grad=True)
    kind = torch.randn(4, 9, dtype=torch.float64, requires_grad=True)
    value = AttributeLoss(smoothing=smoothing)(
        scored(color=color, type=kind), batch_of(color=COLOR, type=TYPE)
    )
    expected = sum(
        smoothed_cross_entropy(scores, truth, smoothing=smoothing)
        for scores, truth in ((color, COLOR), (kind, TYPE))
    )
    torch.testing.assert_close(value, expected)
    for scores in (color, kind):
        ours, theirs = (torch.autograd.grad(each, scores, retain_graph=True)[0] for each in (value, expected))
        torch.testing.assert_close(ours, theirs)


def test_what_the_network_does_not_score_is_not_judged() -> None:
    value = AttributeLoss()(scored(type=torch.zeros(4, 9)), batch_of(color=COLOR, type=TYPE))
    assert value.item() == pytest.approx(math.log(9), rel=1e-6)


def test_an_attribute_that_the_batch_lacks_is_named() -> None:
    features = scored(color=torch.zeros(4, 10), type=torch.zeros(4, 9))
    with pytest.raises(ValueError, match=r"'color', 'type'\], the batch tells \['type'\].*data=veri"):
        AttributeLoss()(features, batch_of(type=TYPE))


def test_a_network_without_attributes_is_named() -> None:
    with pytest.raises(ValueError, match=r"scores \[\], .*model=multitask.*model\.attributes=false"):
        AttributeLoss()(scored(), batch_of(color=COLOR))
