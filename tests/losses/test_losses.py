"""Identity and triplet losses against loops, formulas and numbers worked out by hand."""

import math

import pytest
import torch
from oracles_losses import batch_hard_triplet, smoothed_cross_entropy
from torch import Tensor

from reid.contracts import Batch, Features
from reid.losses import IdentityLoss, TripletLoss
from reid.losses.triplet import hinge, mine_hardest, pairwise_distance


def batch_of(identity: Tensor) -> Batch:
    size = len(identity)
    return Batch(
        image=torch.zeros(size, 3, 8, 4),
        identity=identity,
        camera=torch.zeros(size, dtype=torch.int64),
        index=torch.arange(size),
        is_query=torch.zeros(size, dtype=torch.bool),
        attributes={},
    )


def scored(logits: Tensor) -> Features:
    return Features(embedding=logits, pooled=logits, logits=logits)


def pooled(x: Tensor) -> Features:
    return Features(embedding=x, pooled=x)


def gradient(value: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(value, x)[0]


@pytest.mark.parametrize("identities", [2, 751])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_zero_logits_cost_the_log_of_the_number_of_identities(identities: int, smoothing: float) -> None:
    loss = IdentityLoss(smoothing=smoothing)
    value = loss(scored(torch.zeros(4, identities)), batch_of(torch.tensor([0, 1, 1, 0])))
    assert value.shape == ()
    assert value.item() == pytest.approx(math.log(identities), rel=1e-6)


def test_identity_loss_smooths_by_a_tenth() -> None:
    # Two classes, scores ln 3 and 0: p = 3/4, 1/4; q = 0.95, 0.05.
    value = IdentityLoss()(scored(torch.tensor([[math.log(3), 0.0]])), batch_of(torch.tensor([0])))
    assert value.item() == pytest.approx(-0.95 * math.log(3 / 4) - 0.05 * math.log(1 / 4), rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_identity_loss_and_its_gradient_equal_the_loop(smoothing: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    identity = torch.tensor([0, 6, 3, 3, 1])
    value = IdentityLoss(smoothing=smoothing)(scored(logits), batch_of(identity))
    expected = smoothed_cross_entropy(logits, identity, smoothing=smoothing)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient(value, logits), gradient(expected, logits))


def test_identity_loss_says_why_there_are_no_logits() -> None:
    with pytest.raises(ValueError, match=r"network\.train\(\)"):
        IdentityLoss()(pooled(torch.zeros(2, 3)), batch_of(torch.tensor([0, 1])))


def test_triplet_on_a_line() -> None:
    # Anchors 0, 1, 3, 3.5: positives at 1, 1, .5, .5 and negatives at 3, 2, 2, 2.5.
    x = torch.tensor([[0.0], [1.0], [3.0], [3.5]])
    batch = batch_of(torch.tensor([5, 5, 8, 8]))
    assert TripletLoss(margin=2.0)(pooled(x), batch).item() == pytest.approx((0 + 1 + 0.5 + 0) / 4, abs=1e-5)
    assert TripletLoss()(pooled(x), batch).item() == 0.0


@pytest.mark.parametrize(
    "identity",
    [[0, 0, 0, 1, 1, 1, 2, 2, 2], [3, 1, 3, 1, 9, 1, 3, 9, 4], [0, 1, 2, 3, 4, 5, 6, 7, 8]],
)
def test_triplet_and_its_gradient_equal_the_loop(identity: list[int]) -> None:
    torch.manual_seed(1)
    x = torch.randn(9, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor(identity)
    value = TripletLoss()(pooled(x), batch_of(labels))
    expected = batch_hard_triplet(x, labels, margin=0.3)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradient(value, x), gradient(expected, x))


def test_triplet_gradient_equals_finite_differences() -> None:
    torch.manual_seed(2)
    x = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    batch = batch_of(torch.tensor([0, 0, 1, 1, 2, 2, 2, 3]))
    assert torch.autograd.gradcheck(lambda x: TripletLoss(margin=1.0)(pooled(x), batch), x)


def test_triplet_without_any_negative_is_zero_and_leaves_no_gradient() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    value = TripletLoss()(pooled(x), batch_of(torch.zeros(4, dtype=torch.int64)))
    assert value.item() == 0.0
    assert torch.equal(gradient(value, x), torch.zeros(4, 3))


def test_triplet_of_equal_images_is_the_margin_with_a_finite_gradient() -> None:
    x = torch.ones(4, 3, requires_grad=True)
    value = TripletLoss()(pooled(x), batch_of(torch.tensor([0, 0, 1, 1])))
    assert value.item() == pytest.approx(0.3)
    assert gradient(value, x).isfinite().all()


def test_triplet_shows_a_feature_that_is_not_a_number() -> None:
    x = torch.randn(4, 3)
    x[2, 1] = torch.nan
    assert TripletLoss()(pooled(x), batch_of(torch.tensor([0, 0, 1, 1]))).isnan()


def test_mining_never_waits_for_the_device() -> None:
    distance = torch.empty(8, 8, device="meta", requires_grad=True)  # reading a value of it would raise
    identity = torch.empty(8, dtype=torch.int64, device="meta")
    hinge(distance, mine_hardest(distance, identity), margin=0.3).backward()
    assert distance.grad is not None


def test_triplet_keeps_float32_under_autocast() -> None:
    torch.manual_seed(3)
    x = 10 + torch.randn(16, 64)  # far from 0: |a|^2 + |b|^2 - 2ab cancels
    batch = batch_of(torch.arange(16) // 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = TripletLoss()(pooled(x), batch)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, TripletLoss()(pooled(x), batch))


def test_triplet_of_half_precision_features_is_finite() -> None:
    x = torch.full((4, 512), 30.0, dtype=torch.float16)  # |a|^2 = 460,800 is beyond float16
    value = TripletLoss()(pooled(x), batch_of(torch.tensor([0, 0, 1, 1])))
    assert value.item() == pytest.approx(0.3)


def test_distances_are_euclidean() -> None:
    distance = pairwise_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 8.0]]))
    expected = torch.tensor([[1e-6, 5.0, 8.0], [5.0, 1e-6, 5.0], [8.0, 5.0, 1e-6]])
    torch.testing.assert_close(distance, expected)


def test_mining_names_the_farthest_like_and_the_nearest_unlike() -> None:
    distance = torch.tensor(
        [
            [0.0, 1.0, 2.0, 3.0],
            [1.0, 0.0, 4.0, 2.0],
            [2.0, 4.0, 0.0, 5.0],
            [3.0, 2.0, 5.0, 0.0],
        ]
    )
    mined = mine_hardest(distance, torch.tensor([7, 7, 7, 2]))
    assert mined.positive.tolist() == [2, 2, 1, 3]  # the last is alone: itself
    assert mined.negative.tolist() == [3, 3, 3, 1]
    assert mined.has_negative.tolist() == [True] * 4
    assert not mine_hardest(distance, torch.zeros(4)).has_negative.any()
