"""AlignedReID++'s local loss against loops over anchors and paths."""

import pytest
import torch
import torch.nn.functional as F
from oracles_aligned import aligned_loss
from torch import Tensor

from reid.contracts import Batch, Features
from reid.losses import AlignedLoss


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


def drawn(*, dtype: torch.dtype = torch.float64) -> Features:
    torch.manual_seed(0)
    pooled = torch.randn(7, 5, dtype=dtype, requires_grad=True)
    stripes = F.normalize(torch.randn(7, 4, 3, dtype=dtype), dim=1).requires_grad_()
    return Features(embedding=pooled, pooled=pooled, stripes=stripes)


@pytest.mark.parametrize("identity", [[0, 0, 1, 1, 2, 2, 2], [0, 1, 2, 3, 4, 5, 6], [0, 1, 1, 1, 1, 1, 0]])
def test_value_and_gradient_equal_the_loop(identity: list[int]) -> None:
    features, labels = drawn(), torch.tensor(identity)
    assert features.stripes is not None
    value = AlignedLoss()(features, batch_of(labels))
    expected = aligned_loss(features.pooled, features.stripes, labels, margin=0.3)
    torch.testing.assert_close(value, expected)
    found, wanted = (torch.autograd.grad(loss, features.stripes)[0] for loss in (value, expected))
    torch.testing.assert_close(found, wanted)


def test_the_global_feature_chooses_and_learns_nothing() -> None:
    features = drawn()
    value = AlignedLoss()(features, batch_of(torch.tensor([0, 0, 1, 1, 2, 2, 2])))
    assert torch.autograd.grad(value, features.pooled, allow_unused=True) == (None,)


def test_autocast_does_not_lower_it() -> None:
    features, batch = drawn(dtype=torch.float32), batch_of(torch.tensor([0, 0, 1, 1, 2, 2, 2]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = AlignedLoss()(features, batch)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, AlignedLoss()(features, batch))


def test_without_any_negative_it_is_zero() -> None:
    assert AlignedLoss()(drawn(), batch_of(torch.zeros(7, dtype=torch.int64))).item() == 0


def test_a_network_without_stripes_is_named() -> None:
    x = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"model=aligned_reid"):
        AlignedLoss()(Features(embedding=x, pooled=x), batch_of(torch.tensor([0, 1])))
