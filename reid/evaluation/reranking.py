"""k-reciprocal re-ranking: near are images that share their neighbours, found on a sparse graph of them all.

Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding" (CVPR 2017). What is
usually written with half a dozen N × N matrices is exact here in O(N · (D + k1²)) memory, for N images.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor

from reid.contracts import Distance, Features
from reid.evaluation.blocks import empty_table
from reid.evaluation.neighbours import PAIR, SIDE, nearest_neighbours
from reid.evaluation.threads import over_threads

MEMORY = 160 * 10**6  # bytes of the graph by default: with what a distance takes beside, below 256 MB
EDGE = 100  # bytes that the graph takes for each neighbour of an image, while it is made
FEW = 128  # images whose edges are looked up at once: the fewer, the more alike their neighbours


class ReRanking:
    """A `Distance` for `rank`: (1 − weight) · Jaccard distance of neighbourhoods + weight · original one.

    `rank` hands over its queries block by block, and a block must say which queries it holds. So the queries
    it is given are row numbers, and the gallery is the one that the graph was built over::

        reranking = ReRanking(query, gallery, distance=EuclideanDistance(), junk=labels.identity == JUNK)
        rank(reranking.query, query_labels, gallery, labels, distance=reranking)

    The original distance is divided by each query's largest, to any image. Where there are no more than
    k1 + 1 images, all are neighbours of one another. Equal distances rank by row, queries first. The paper
    takes squared Euclidean distances. They are computed where the features are, the graph on the CPU.

    Args:
        distance: the original, symmetric and not negative; it may read ``embedding``, ``pooled`` and
            ``stripes``. On the CPU threads call it at once.
        junk: (Ng,) bool; gallery images that are nobody's neighbours and count in no maximum. Their Jaccard
            distance is 1. The published code has no such images, as it drops junk when it lists a benchmark.
        k1: neighbours of an image beside itself.
        k2: nearest images, itself among them, over whose neighbourhoods each one's is averaged; 1: none is.
        weight: of the original distance, the paper's λ.
        square: square the original distance first, as torchreid does even if that is squared already.
        memory: bytes to stay within while the graph is made, beside the features and what ``distance`` takes
            for more than its result. It decides how many images are compared at once, never what is found.
            None: `MEMORY`, or what the graph needs if that is more.

    Raises:
        ValueError: an option out of range, ``junk`` that does not fit, distances that are not finite, or too
            little memory.
    """

    @torch.no_grad()
    def __init__(
        self,
        query: Features,
        gallery: Features,
        *,
        distance: Distance,
        junk: Tensor | None = None,
        k1: int = 20,
        k2: int = 6,
        weight: float = 0.3,
        square: bool = False,
        memory: int | None = None,
    ) -> None:
        if k1 < 1 or k2 < 1 or not 0 <= weight <= 1:
            raise ValueError(f"k1={k1} and k2={k2} must be at least 1 and weight={weight} from 0 to 1")
        queries, images = len(query.embedding), len(gallery.embedding)
        if junk is not None and (junk.shape != (images,) or junk.dtype != torch.bool):
            raise ValueError(
                f"junk is {junk.dtype} of shape {tuple(junk.shape)}: give one bool for each of {images} "
                "gallery images"
            )
        numbers = torch.arange(queries)[:, None]
        self.query = Features(embedding=numbers, pooled=numbers)
        self.gallery = gallery
        self.weight = weight
        self._query = query
        self._distance = _squared(distance) if square else distance

        kept = np.arange(images) if junk is None else np.flatnonzero(~junk.cpu().numpy())
        everyone = _joined(query, gallery if len(kept) == images else _chosen(gallery, kept))
        k = max(k1 + 1, k2)
        neighbours, farthest = nearest_neighbours(
            everyone, self._distance, k, memory=_for_tiles(memory, len(everyone.embedding), k)
        )
        farthest[farthest <= 0] = 1  # a collapsed network says one thing
        edges = _expanded_sets(neighbours, k1)
        lengths = _along(edges, everyone, self._distance) / np.repeat(farthest, np.diff(edges.indptr))
        encoding = _averaged(_normalized(edges, np.exp(-lengths)), neighbours[:, :k2])

        self._farthest = torch.from_numpy(farthest[:queries, None])
        self._encoding = encoding[:queries]  # (Nq, N): how much of a query's neighbourhood each image is
        lists = encoding[queries:].T.tocsr()  # (N, gallery): in whose neighbourhoods each image is
        in_gallery = (lists.data, kept[lists.indices], lists.indptr)
        self._lists = sparse.csr_array(in_gallery, (len(farthest), images))

    @torch.no_grad()
    def __call__(self, query: Features, gallery: Features) -> Tensor:
        """(b, Ng) float32 on the CPU, at most 1 but for junk: b rows of `query` against the whole gallery.

        Raises:
            ValueError: other features than `query`'s rows and the gallery of the graph.
        """
        if gallery is not self.gallery or query.embedding.is_floating_point():
            raise ValueError(
                "these are not the features of the graph: rank(reranking.query, ..., reranking.gallery, ...)"
            )
        which = query.embedding[:, 0].numpy()
        original = self._distance(_chosen(self._query, which), gallery).float().cpu()
        shared = empty_table(*original.shape, device=original.device).numpy()
        for start in range(0, len(which), FEW):
            encoding = self._encoding[which[start : start + FEW]]
            lists = self._lists[encoding.indices]  # one row for each weight of these queries
            least = np.minimum(lists.data, np.repeat(encoding.data, np.diff(lists.indptr)))
            by_query = least, lists.indices, lists.indptr[encoding.indptr]
            part = shared[start : start + FEW]
            sparse.csr_array(by_query, part.shape).toarray(out=part)  # sums what repeats
        # Jaccard distance is 1 - shared / (2 - shared) = 2 - 2 / (2 - shared), here without another table.
        share = 2 * (1 - self.weight)
        final = torch.from_numpy(shared).neg_().add_(2).reciprocal_().mul_(-share).add_(share)
        return final.addcdiv_(original, self._farthest[which], value=self.weight)


def _for_tiles(memory: int | None, images: int, k: int) -> int:
    """What of ``memory`` bytes the graph leaves for a tile of distances."""
    graph = EDGE * k * images
    if memory is None:
        return max(MEMORY - graph, PAIR * SIDE**2)
    if memory < graph + PAIR:
        raise ValueError(
            f"memory={memory:,} bytes is too little for the graph of {images:,} images with "
            f"{k - 1} neighbours each: give {graph + PAIR:,} or more"
        )
    return memory - graph


def _expanded_sets(neighbours: NDArray[np.int64], k1: int) -> sparse.csr_array:
    """(N, N) the paper's R*: each image's k-reciprocal neighbours, and half as many of each that agrees."""
    reciprocal = _reciprocal(neighbours[:, : k1 + 1])
    half = _reciprocal(neighbours[:, : round(k1 / 2) + 1])
    size = half.sum(1)
    common = (reciprocal @ half).multiply(reciprocal).tocoo()  # |R(i) ∩ R½(j)|, j in R(i); R½ is symmetric
    agrees = 3 * common.data > 2 * size[common.col]
    agreeing = sparse.csr_array(
        (common.data[agrees] > 0, (common.row[agrees], common.col[agrees])), reciprocal.shape, dtype=np.int32
    )
    expanded = (reciprocal + agreeing @ half).tocsr()
    expanded.sort_indices()
    return expanded


def _reciprocal(neighbours: NDArray[np.int64]) -> sparse.csr_array:
    """(N, N) int32, 1 where each of two images is among the other's neighbours."""
    total, k = neighbours.shape
    forward = sparse.csr_array(
        (np.ones(total * k, np.int32), neighbours.ravel(), np.arange(0, total * k + 1, k)), (total, total)
    )
    return forward.multiply(forward.T).tocsr()


def _along(edges: sparse.csr_array, images: Features, distance: Distance) -> NDArray[np.float32]:
    """(nnz,) the distance from each edge's row to its column."""
    total = edges.shape[0]
    order = np.ascontiguousarray(
        reverse_cuthill_mckee(edges)
    )  # images that share their neighbours, side by side
    ordered = edges[order]
    lengths = np.empty(edges.nnz, np.float32)

    def measure(starts: range) -> None:
        for start in starts:
            pointers = ordered.indptr[start : start + FEW + 1]
            columns, place = np.unique(ordered.indices[pointers[0] : pointers[-1]], return_inverse=True)
            if not len(columns):
                continue
            here, counts = order[start : start + FEW], np.diff(pointers)
            table = distance(_chosen(images, here), _chosen(images, columns)).float().cpu().numpy()
            within = np.arange(len(place)) - np.repeat(pointers[:-1] - pointers[0], counts)
            row = np.repeat(np.arange(len(here)), counts)
            lengths[edges.indptr[here][row] + within] = table[row, place]

    over_threads(measure, range(0, total, FEW), device=images.embedding.device)
    return lengths


def _normalized(edges: sparse.csr_array, closeness: NDArray[np.float32]) -> sparse.csr_array:
    """(N, N) float32 weights that sum to 1 in each row."""
    weights = sparse.csr_array((closeness, edges.indices, edges.indptr), edges.shape)
    # The division repeats no empty row: behind more than k1 copies of itself, an image has no edge.
    weights.data /= np.repeat(weights.sum(1), np.diff(weights.indptr))
    return weights


def _averaged(encoding: sparse.csr_array, neighbours: NDArray[np.int64]) -> sparse.csr_array:
    """(N, N) float32: each row becomes the mean of its neighbours' (local query expansion)."""
    total, k = neighbours.shape
    if k == 1:
        return encoding
    share = np.full(total * k, 1 / k, np.float32)
    mean = sparse.csr_array((share, neighbours.ravel(), np.arange(0, total * k + 1, k)), (total, total))
    return mean @ encoding


def _squared(distance: Distance) -> Distance:
    return lambda query, gallery: distance(query, gallery).square()


def _joined(query: Features, gallery: Features) -> Features:
    """All images, queries first; what no distance reads is left out."""
    embedding = torch.cat([query.embedding, gallery.embedding])
    same = query.pooled is query.embedding and gallery.pooled is gallery.embedding  # as good as always
    return Features(
        embedding=embedding,
        pooled=embedding if same else torch.cat([query.pooled, gallery.pooled]),
        stripes=(
            torch.cat([query.stripes, gallery.stripes])
            if query.stripes is not None and gallery.stripes is not None
            else None
        ),
    )


def _chosen(features: Features, which: NDArray[np.int64]) -> Features:
    """Some of the images, copied."""
    index = torch.from_numpy(which).to(features.embedding.device)
    embedding = features.embedding[index]
    return Features(
        embedding=embedding,
        pooled=embedding if features.pooled is features.embedding else features.pooled[index],
        stripes=None if features.stripes is None else features.stripes[index],
    )
