"""AlignedReID++ as its paper's words read: every path tried, one pair of stripes at a time."""

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor


def paths(down: int, right: int) -> Iterator[list[tuple[int, int]]]:
    """Every way from (0, 0) to (down, right) that only goes down or right."""
    for descents in combinations(range(down + right), down):
        i = j = 0
        way = [(i, j)]
        for step in range(down + right):
            i, j = (i + 1, j) if step in descents else (i, j + 1)
            way.append((i, j))
        yield way


def cost(x: Tensor, y: Tensor) -> Tensor:
    """(e^D - 1) / (e^D + 1) for two stripes (d,)."""
    e = (x - y).square().sum().clamp(min=1e-12).sqrt().exp()
    return (e - 1) / (e + 1)


def aligned(x: Tensor, y: Tensor) -> Tensor:
    """The cheapest path between one image's stripes (d, S) and another's (d, T)."""
    costs = [[cost(x[:, i], y[:, j]) for j in range(y.shape[1])] for i in range(x.shape[1])]
    ways = paths(x.shape[1] - 1, y.shape[1] - 1)
    return torch.stack([torch.stack([costs[i][j] for i, j in way]).sum() for way in ways]).min()


def unaligned(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([cost(x[:, i], y[:, i]) for i in range(x.shape[1])]).sum()


def table(measure, query: Tensor, gallery: Tensor) -> Tensor:
    return torch.stack([torch.stack([measure(q, g) for g in gallery]) for q in query])


def aligned_loss(pooled: Tensor, stripes: Tensor, identity: Tensor, *, margin: float) -> Tensor:
    """Hardest partners by the pooled feature; mean of max(0, margin + positive - negative) of the stripes."""
    rows = range(len(pooled))
    total = pooled.new_zeros(())
    for a in rows:
        distance = (pooled[a] - pooled).norm(dim=1).tolist()
        same = [b for b in rows if identity[a] == identity[b]]
        others = [b for b in rows if identity[a] != identity[b]]
        positive = max(same, key=lambda b: distance[b])
        if others:
            negative = min(others, key=lambda b: distance[b])
            near, far = aligned(stripes[a], stripes[positive]), aligned(stripes[a], stripes[negative])
            total = total + (margin + near - far).clamp(min=0)
    return total / len(pooled)
