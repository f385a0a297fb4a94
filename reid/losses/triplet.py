"""Batch-hard triplet loss: every image against its farthest like and its nearest unlike in the batch."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from reid.contracts import Batch, Features


class Mined(NamedTuple):
    """For each of B anchors, the rows of its hardest partners."""

    positive: Tensor  # (B,) int64; the anchor itself where it is alone
    negative: Tensor  # (B,) int64; without meaning where there is none
    has_negative: Tensor  # (B,) bool


class TripletLoss(nn.Module):
    """Hermans et al., "In Defense of the Triplet Loss" (2017), batch hard; 0.3 is torchreid's margin.

    Distances are Euclidean, between ``features.pooled`` as they are: not normalised.
    """

    def __init__(self, *, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """The mean hinge over the batch."""
        distance = pairwise_distance(features.pooled)  # (B, B)
        return hinge(distance, mine_hardest(distance, batch["identity"]), margin=self.margin)


def pairwise_distance(x: Tensor) -> Tensor:
    """Euclidean distances (B, B) between the rows of (B, D), no less than 1e-6.

    In float32 whatever autocast says: |a|^2 + |b|^2 - 2ab cancels, and half precision would leave noise.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        squares = x.square().sum(1)  # (B,)
        squared = squares[:, None] + squares[None, :] - 2 * x @ x.T
        return squared.clamp(min=1e-12).sqrt()  # a root's slope at 0 is infinite


def mine_hardest(distance: Tensor, identity: Tensor) -> Mined:
    """Of ``distance`` (B, B), per row, the farthest of the same ``identity`` (B,) and the nearest other."""
    distance = distance.detach()
    same = identity[:, None] == identity[None, :]  # (B, B)
    return Mined(
        positive=distance.masked_fill(~same, -torch.inf).argmax(1),
        negative=distance.masked_fill(same, torch.inf).argmin(1),
        has_negative=~same.all(1),
    )


def hinge(distance: Tensor, mined: Mined, *, margin: float) -> Tensor:
    """Mean of max(0, margin + positive - negative) over the batch; an anchor without a negative adds 0."""
    positive = distance.gather(1, mined.positive[:, None]).squeeze(1)  # (B,)
    negative = distance.gather(1, mined.negative[:, None]).squeeze(1)  # (B,)
    cost = (margin + positive - negative).relu()
    return torch.where(mined.has_negative, cost, 0.0).mean()
