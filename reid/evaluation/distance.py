"""How far apart two sets of images are by their embeddings: 'euclidean' and 'cosine'.

All run on the features' own device, in float32 whatever autocast says, and never wait for the device.
A lowered ``torch.set_float32_matmul_precision`` lowers theirs too: keep "highest" for published numbers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from reid.contracts import Features

TINY = 1e-12  # the least norm we divide by, as torch.nn.functional.normalize


@dataclass(frozen=True)
class CosineDistance:
    """1 − cos of the angle between embeddings, in [0, 2] (torchreid's 'cosine')."""

    def __call__(self, query: Features, gallery: Features) -> Tensor:
        """(Nq, Ng) float32."""
        with torch.autocast(query.embedding.device.type, enabled=False):
            q, g = query.embedding.float(), gallery.embedding.float()
            q = q / _norm(q)[:, None]
            # Dividing the product by the gallery's norms spares a normalised copy of the gallery.
            return (q @ g.T).div_(-_norm(g)).add_(1)


@dataclass(frozen=True)
class EuclideanDistance:
    """*Squared* Euclidean distance, ‖q‖² + ‖g‖² − 2q·g: what every recipe here calls 'euclidean'.

    Without the root the ranks are the same, but re-ranking and sums with a local distance are not.
    The three terms cancel for near copies: the error is about 1e-7 · (‖q‖² + ‖g‖²), and a value can be as
    much below zero. It is left there, as clamping would turn order into ties.

    Args:
        normalize: compare embeddings of unit length (AlignedReID++); torchreid and PAMTRI do not.
    """

    normalize: bool = False

    def __call__(self, query: Features, gallery: Features) -> Tensor:
        """(Nq, Ng) float32, in the embedding's units squared; in [0, 4] when normalised."""
        if self.normalize:
            return 2 * CosineDistance()(query, gallery)
        with torch.autocast(query.embedding.device.type, enabled=False):
            q, g = query.embedding.float(), gallery.embedding.float()
            squared = torch.addmm(_norm(g).square(), q, g.T, alpha=-2)  # squaring g itself would copy it
            return squared.add_(q.square().sum(1)[:, None])


def _norm(embedding: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(embedding, dim=1)  # (N,)
    return norm.clamp_min(TINY)
