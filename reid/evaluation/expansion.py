"""Average query expansion: a query asks again, with what it found first."""

from dataclasses import replace

import torch
from torch import Tensor

from reid.contracts import Distance, Features, Labels
from reid.evaluation.pairs import JUNK
from reid.evaluation.ranking import rank


@torch.no_grad()
def expand_queries(
    query: Features,
    gallery: Features,
    *,
    distance: Distance,
    k: int,
    junk: Tensor | None = None,
    block: int = 128,
) -> Features:
    """Each query becomes the mean of itself and its ``k`` nearest gallery images, whoever is on them.

    Average query expansion of Chum et al., "Total Recall" (ICCV 2007), section 4, without the paper's spatial
    verification: identities and cameras are not looked at. Nothing else is changed, and nothing in place.

    Embeddings are averaged as they are, and so are ``pooled`` and ``stripes``, as only that leaves a query on
    the scale of its gallery, which the squared Euclidean distance reads. For the cosine distance it means
    that an image counts by the length of its embedding; give unit embeddings for equal shares.

    Args:
        distance: by which they are nearest, smaller is closer; equal ones by gallery row.
        k: gallery images in each mean, all where there are fewer; 0 returns ``query`` itself.
        junk: (Ng,) bool; gallery images that are in no mean.
        block: queries a call of ``distance``; memory is that of `rank`, and twice the queries'.

    Returns:
        float32 or wider, on the query's device; ``logits`` and ``attributes`` are still the query's own.

    Raises:
        ValueError: ``k`` below 0, ``junk`` that does not fit, or distances that are not finite.
    """
    queries, images = len(query.embedding), len(gallery.embedding)
    if k < 0:
        raise ValueError(f"k={k} must be at least 0")
    if junk is not None and (junk.shape != (images,) or junk.dtype != torch.bool):
        raise ValueError(
            f"junk is {junk.dtype} of shape {tuple(junk.shape)}: give one bool for each of {images} "
            "gallery images"
        )
    identity = torch.ones(images, dtype=torch.int64)  # not the queries', so that all but junk are ranked
    if junk is not None:
        identity[junk.cpu()] = JUNK
    k = min(k, int((identity != JUNK).sum()))
    if k == 0:
        return query
    nobody = torch.zeros(queries, dtype=torch.int64)
    search = rank(
        query,
        Labels(nobody, nobody),
        gallery,
        Labels(identity, identity),
        distance=distance,
        top=k,
        block=block,
    )
    nearest = search.top.to(gallery.embedding.device)
    embedding = _mean(query.embedding, gallery.embedding, nearest)
    same = query.pooled is query.embedding and gallery.pooled is gallery.embedding  # as good as always
    return replace(
        query,
        embedding=embedding,
        pooled=embedding if same else _mean(query.pooled, gallery.pooled, nearest),
        stripes=(
            None
            if query.stripes is None or gallery.stripes is None
            else _mean(query.stripes, gallery.stripes, nearest)
        ),
    )


def _mean(query: Tensor, gallery: Tensor, nearest: Tensor) -> Tensor:
    """(Nq, …) the mean of each of ``query`` and the rows ``nearest`` (Nq, k) of ``gallery``."""
    total = query.to(torch.promote_types(query.dtype, torch.float32), copy=True)
    for row in nearest.unbind(1):  # one neighbour of all queries at a time
        total += gallery[row]
    return total / (nearest.shape[1] + 1)
