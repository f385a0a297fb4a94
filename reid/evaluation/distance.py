"""How far apart two sets of images are by their embeddings: 'euclidean' and 'cosine'.

All run on the features' own device, in float32 whatever autocast says, never wait for the device, and are
not differentiable. A lowered ``torch.set_float32_matmul_precision`` lowers theirs too: keep
"highest" for published numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from reid.contracts import Features
from reid.evaluation.blocks import empty_table
from reid.evaluation.threads import over_threads

TILE = 256  # gallery images compared at a time on the CPU
TINY = 1e-12  # the least norm we divide by, as torch.nn.functional.normalize


@dataclass(frozen=True)
class CosineDistance:
    """1 − cos of the angle between embeddings, in [0, 2] (torchreid's 'cosine')."""

    def __call__(self, query: Features, gallery: Features) -> Tensor:
        """(Nq, Ng) float32."""
        with torch.autocast(query.embedding.device.type, enabled=False), torch.no_grad():
            q = query.embedding.float()
            q = q / _norm(q)[:, None]

            def fill(part: Tensor, g: Tensor) -> None:
                # Dividing the product by the gallery's norms spares a normalised copy of the gallery.
                torch.mm(q, g.T, out=part).div_(-_norm(g)).add_(1)

            return _in_tiles(q, gallery.embedding, fill)


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
        with torch.autocast(query.embedding.device.type, enabled=False), torch.no_grad():
            q = query.embedding.float()
            own = q.square().sum(1)[:, None]

            def fill(part: Tensor, g: Tensor) -> None:
                torch.addmm(_norm(g).square(), q, g.T, alpha=-2, out=part).add_(own)

            return _in_tiles(q, gallery.embedding, fill)


def _in_tiles(query: Tensor, gallery: Tensor, fill: Callable[[Tensor, Tensor], None]) -> Tensor:
    """(Nq, Ng) float32, of which ``fill`` writes (Nq, t) for some of the gallery (t, D) at a time.

    On the CPU such products take half the time of one with the whole gallery, and threads share them.
    """
    size = TILE if gallery.device.type == "cpu" else max(1, len(gallery))
    table = empty_table(len(query), len(gallery), device=query.device)

    def work(starts: range) -> None:
        for start in starts:
            here = slice(start, start + size)
            fill(table[:, here], gallery[here].float())

    over_threads(work, range(0, len(gallery), size), device=gallery.device)
    return table


def _norm(embedding: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(embedding, dim=1)  # (N,)
    return norm.clamp_min(TINY)
