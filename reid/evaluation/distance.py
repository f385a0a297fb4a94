"""How far apart two sets of images are: by their embeddings ('euclidean', 'cosine'), their stripes, or both.

All run on the features' own device, in float32 whatever autocast says, and never wait for the device.
A lowered ``torch.set_float32_matmul_precision`` lowers theirs too: keep "highest" for published numbers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from reid.contracts import Features
from reid.evaluation.dmli import aligned_distance, unaligned_distance

TINY = 1e-12  # the least norm we divide by, as torch.nn.functional.normalize
TILE = 2**21  # pairs of stripes compared at a time: 8 MB, of which some two are held


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


@dataclass(frozen=True)
class LocalDistance:
    """How well stripes match: DMLI, the published 'local' distance of AlignedReID++.

    Stripes are compared as they are; the network makes them of unit length. The gallery is taken in tiles
    that stay in a CPU's cache, so memory beyond the result is small: for 128 queries, 64 MB.

    Args:
        unaligned: compare each stripe with the one at its own height (the published 'unaligned').
    """

    unaligned: bool = False

    def __call__(self, query: Features, gallery: Features) -> Tensor:
        """(Nq, Ng) float32; between S stripes in [0, 2 S - 1), unaligned in [0, S).

        Raises:
            ValueError: features without stripes.
        """
        if query.stripes is None or gallery.stripes is None:
            raise ValueError(
                "features.stripes is None: local distances need a network with a local branch, such as"
                " model=aligned_reid; compare others by evaluation.distance=euclidean or cosine"
            )
        measure = unaligned_distance if self.unaligned else aligned_distance
        pairs = len(query.stripes) * query.stripes.shape[2] * gallery.stripes.shape[2]  # with one image
        size = max(1, TILE // max(1, pairs))
        stripes = query.stripes.float()
        # Allocated first: results of tiles that are left between their buffers would fragment the heap.
        table = stripes.new_empty(len(stripes), len(gallery.stripes))
        for start in range(0, len(gallery.stripes), size):
            tile = slice(start, start + size)
            table[:, tile] = measure(stripes, gallery.stripes[tile].float())
        return table


@dataclass(frozen=True)
class GlobalLocalDistance:
    """The sum by which AlignedReID++ ranks: squared Euclidean of unit embeddings, and DMLI of the stripes."""

    def __call__(self, query: Features, gallery: Features) -> Tensor:
        """(Nq, Ng) float32. Raises ValueError for features without stripes."""
        return LocalDistance()(query, gallery).add_(EuclideanDistance(normalize=True)(query, gallery))


def _norm(embedding: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(embedding, dim=1)  # (N,)
    return norm.clamp_min(TINY)
