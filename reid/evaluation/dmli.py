"""DMLI: how far apart two people are when their stripes are matched from head to foot.

"Dynamically matching local information", Luo et al., "AlignedReID++" (Pattern Recognition 94, 2019),
section 3.2. Differentiable, for the loss; `local` has the same for whole galleries.
"""

from itertools import accumulate

import torch
from torch import Tensor


def aligned_distance(query: Tensor, gallery: Tensor) -> Tensor:
    """(Nq, Ng): the shortest path through the costs of matching stripes (Nq, d, S) with (Ng, d, T).

    A path visits S + T - 1 pairs of stripes, so an image is not at distance 0 from itself.
    """
    cost = matching_cost(by_stripe(query), by_stripe(gallery))  # (S * Nq, T * Ng)
    cost = cost.view(query.shape[2], len(query), gallery.shape[2], len(gallery))
    return shortest_path(cost.transpose(1, 2))


def matching_cost(x: Tensor, y: Tensor) -> Tensor:
    """(N, M) in [0, 1): (e^D - 1) / (e^D + 1) = tanh(D / 2), D the distance of stripes (N, d) and (M, d).

    In float32 whatever autocast says: |x|^2 + |y|^2 - 2xy cancels for stripes that are alike.
    """
    with torch.autocast(x.device.type, enabled=False):
        x, y = (stripes.to(torch.promote_types(stripes.dtype, torch.float32)) / 2 for stripes in (x, y))
        squared = torch.addmm(y.square().sum(1), x, y.T, alpha=-2).add_(x.square().sum(1, keepdim=True))
        return squared.clamp_(min=0.25e-12).sqrt_().tanh()  # a root's slope at 0 is infinite


def shortest_path(cost: Tensor) -> Tensor:
    """(...) from ``cost`` (S, T, ...): the least sum from first corner to last, going down or right."""
    first, *others = (row.unbind() for row in cost.unbind())
    reached = list(accumulate(first))
    for row in others:
        reached[0] = reached[0] + row[0]
        for column in range(1, len(row)):
            reached[column] = torch.minimum(reached[column], reached[column - 1]) + row[column]
    return reached[-1]


def by_stripe(stripes: Tensor) -> Tensor:
    """(N, d, S) to (S * N, d): images side by side, so that a path is found for all of them at once."""
    return stripes.permute(2, 0, 1).reshape(-1, stripes.shape[1])
