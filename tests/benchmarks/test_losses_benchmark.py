"""Batch-hard triplet, forward and backward: ours beside a Python loop over the anchors."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reid.losses.triplet import hinge, mine_hardest, pairwise_distance

pytest.importorskip("pytest_benchmark")


def vectorised(x: Tensor, identity: Tensor) -> Tensor:
    distance = pairwise_distance(x)
    return hinge(distance, mine_hardest(distance, identity), margin=0.3)


def looped(x: Tensor, identity: Tensor) -> Tensor:
    """The distances are one matrix product here too; only the mining visits anchor after anchor."""
    distance = pairwise_distance(x)
    same = identity[:, None] == identity[None, :]
    positive = torch.stack([distance[a][same[a]].max() for a in range(len(x))])
    negative = torch.stack([distance[a][~same[a]].min() for a in range(len(x))])
    return (0.3 + positive - negative).relu().mean()


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize("loss", [vectorised, looped])
@pytest.mark.benchmark(group="batch-hard triplet", warmup=True)
def test_batch_hard_triplet(benchmark, size: int, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    benchmark.group = f"batch-hard triplet, {size} images"
    x = torch.randn(size, 512, generator=torch.Generator().manual_seed(0)).requires_grad_()
    identity = torch.arange(size) // 4

    gradient = benchmark(lambda: torch.autograd.grad(loss(x, identity), x)[0])

    expected = torch.autograd.grad(looped(x, identity), x)[0]
    torch.testing.assert_close(gradient, expected)
