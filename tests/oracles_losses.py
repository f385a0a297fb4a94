"""The losses as their papers' sums, one term at a time: slow, obvious, and differentiable."""

import torch
from torch import Tensor


def smoothed_cross_entropy(logits: Tensor, identity: Tensor, *, smoothing: float) -> Tensor:
    """(B, I) logits; mean over the batch of -sum q log p, q = (1 - smoothing) onehot + smoothing / I."""
    rows, classes = logits.shape
    total = logits.new_zeros(())
    for b in range(rows):
        evidence = sum(logits[b, k].exp() for k in range(classes))
        for k in range(classes):
            q = smoothing / classes + (1 - smoothing if k == int(identity[b]) else 0)
            total = total - q * (logits[b, k].exp() / evidence).log()
    return total / rows


def batch_hard_triplet(x: Tensor, identity: Tensor, *, margin: float) -> Tensor:
    """(B, D) features; mean over anchors of max(0, margin + farthest positive - nearest negative)."""
    rows = len(x)
    total = x.new_zeros(())
    for a in range(rows):
        positive: list[Tensor] = []
        negative: list[Tensor] = []
        for b in range(rows):
            d = (x[a] - x[b]).square().sum().clamp(min=1e-12).sqrt()
            (positive if identity[a] == identity[b] else negative).append(d)
        if negative:
            hinge = margin + torch.stack(positive).max() - torch.stack(negative).min()
            total = total + hinge.clamp(min=0)
    return total / rows
