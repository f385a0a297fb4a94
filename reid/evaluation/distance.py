"""How far apart two sets of images are by their embeddings: 'euclidean' and 'cosine'.

All run on the features' own device, in float32 whatever autocast says, never wait for the device, and are
not differentiable. A lowered ``torch.set_float32_matmul_precision`` lowers theirs too: keep
"highest" for published numbers.
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
            table = _table(q, g)
            torch.mm(q / _norm(q)[:, None], g.T, out=table)
            # Dividing the product by the gallery's norms spares a normalised copy of the gallery.
            return table.div_(-_norm(g)).add_(1)


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
            return CosineDistance()(query, gallery).mul_(2)
        with torch.autocast(query.embedding.device.type, enabled=False):
            q, g = query.embedding.float(), gallery.embedding.float()
            table = _table(q, g)
            torch.addmm(_norm(g).square(), q, g.T, alpha=-2, out=table)  # squaring g itself would copy it
            return table.add_(q.square().sum(1)[:, None])


def _table(query: Tensor, gallery: Tensor) -> Tensor:
    """(Nq, Ng), to write on; made first, so that smaller pieces do not break up where the last one was."""
    return query.new_empty(len(query), len(gallery))


def _norm(embedding: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(embedding, dim=1)  # (N,)
    return norm.clamp_min(TINY)
