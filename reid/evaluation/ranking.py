"""The exact search: at which rank of the gallery each query meets its own identity."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.contracts import Distance, Features, Labels

JUNK = -1  # identity of gallery images that count neither for nor against a query
UNKNOWN = -1  # a camera that is not known, and so is never the query's own


@dataclass(frozen=True)
class Ranking:
    """What a search found for Nq queries; ranks count from 0 and leave ignored gallery images out.

    Ignored are junk and, unless asked to stay, the images of a query's identity by a query's camera.
    Everything lives on the CPU. A query's positives are ``ranks[offsets[q]:offsets[q + 1]]``.
    """

    ranks: Tensor  # (P,) int64; of every positive of every query, ascending within a query
    offsets: Tensor  # (Nq + 1,) int64
    top: Tensor  # (Nq, k) int64; gallery rows, nearest first; -1 where fewer are left
    top_distance: Tensor  # (Nq, k) float32; inf where fewer are left
    gallery_size: int  # images that are not junk

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def positives(self) -> Tensor:
        """(Nq,) int64: how many gallery images match each query; 0 is a query that cannot be scored."""
        return self.offsets.diff()

    @property
    def query(self) -> Tensor:
        """(P,) int64: the query that each of `ranks` belongs to."""
        return torch.repeat_interleave(torch.arange(len(self)), self.positives)

    @property
    def matches(self) -> Tensor:
        """(Nq, k) bool: which of `top` show the query's identity."""
        matches = torch.zeros_like(self.top, dtype=torch.bool)
        listed = self.ranks < self.top.shape[1]
        matches[self.query[listed], self.ranks[listed]] = True
        return matches


@torch.no_grad()
def rank(
    query: Features,
    query_labels: Labels,
    gallery: Features,
    gallery_labels: Labels,
    *,
    distance: Distance,
    top: int = 0,
    same_camera: Literal["exclude", "keep"] = "exclude",
    block: int = 128,
) -> Ranking:
    """Rank the gallery of each query as a stable sort would, without sorting it or holding an Nq × Ng matrix.

    Nothing behind a query's farthest positive can change CMC, AP or INP, so only what stands before it is
    sorted. Equal distances rank by gallery row. Distances are computed where the features are, ``block``
    queries at a time and always against the same ``gallery`` object; the search itself runs on the CPU.

    Args:
        distance: smaller is closer; what it returns is not modified.
        top: how many nearest gallery rows to keep for ranked lists.
        same_camera: "exclude" ignores gallery images of the query's identity and camera, as Market1501,
            DukeMTMC-reID, CUHK03, MSMT17 and VeRi do; "keep" is for sets without cameras, and their gallery
            must not hold the queries themselves.
        block: queries a call of ``distance``; memory is 4 · block · Ng bytes and what one call takes.

    Raises:
        ValueError: on labels that do not fit the features, an option out of range, or distances that are
            not finite.
    """
    _check(query, query_labels, gallery, gallery_labels, top=top, same_camera=same_camera, block=block)
    identity, camera = _array(gallery_labels.identity), _array(gallery_labels.camera)
    wanted, taken_by = _array(query_labels.identity), _array(query_labels.camera)
    pair_query, pair_row = same_identity(wanted, identity)
    ignored = own_camera(taken_by[pair_query], camera[pair_row]) & (same_camera == "exclude")
    ignored_query, ignored_row = pair_query[ignored], pair_row[ignored]
    positives = pair_row[~ignored]
    offsets = pair_query[~ignored].searchsorted(np.arange(len(wanted) + 1))
    junk = np.flatnonzero(identity == JUNK)

    # What is kept is allocated first: small arrays left between the blocks would fragment the heap.
    ranks = np.empty_like(positives)
    top_row = np.full((len(wanted), top), -1)
    top_distance = np.full((len(wanted), top), np.inf, np.float32)
    for start, table in distance_blocks(query, gallery, distance=distance, block=block):
        here = slice(*ignored_query.searchsorted([start, start + len(table)]))
        table[ignored_query[here] - start, ignored_row[here]] = np.inf  # behind everything
        table[:, junk] = np.inf
        for q, row in enumerate(table, start):
            own = slice(offsets[q], offsets[q + 1])
            ranks[own] = _ranks(row, positives[own])
            if top:
                nearest = _nearest(row, top)
                top_row[q, : len(nearest)] = nearest
                top_distance[q, : len(nearest)] = row[nearest]
    return Ranking(
        ranks=torch.from_numpy(ranks),
        offsets=torch.from_numpy(offsets),
        top=torch.from_numpy(top_row),
        top_distance=torch.from_numpy(top_distance),
        gallery_size=len(identity) - len(junk),
    )


def rows(features: Features, which: slice) -> Features:
    """The features of some of the images, as views."""
    return Features(
        embedding=features.embedding[which],
        pooled=features.pooled[which],
        logits=None if features.logits is None else features.logits[which],
        stripes=None if features.stripes is None else features.stripes[which],
        attributes={name: scores[which] for name, scores in features.attributes.items()},
    )


def distance_blocks(
    query: Features, gallery: Features, *, distance: Distance, block: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The first of some queries, and their distances (b, Ng), all finite, to the whole gallery.

    The array may be written on, and is used again for the next queries.

    Raises:
        ValueError: distances of another shape, or that are not finite.
    """
    total = len(query.embedding)
    buffer = torch.empty(min(block, total), len(gallery.embedding))  # what distance returns is not written on
    for start in range(0, total, block):
        table = buffer[: min(block, total - start)]
        _fill(table, distance, rows(query, slice(start, start + block)), gallery)
        yield start, table.numpy()


def own_camera(query: NDArray[np.int64], gallery: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pair by pair, whether one camera, a known one, took both images."""
    own: NDArray[np.bool_] = (query == gallery) & (gallery != UNKNOWN)
    return own


def same_identity(query: NDArray[np.int64], gallery: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """All pairs (query, gallery row) that show one identity, junk apart; ascending, query first."""
    valid = np.flatnonzero(gallery != JUNK)
    by_identity = valid[np.argsort(gallery[valid], kind="stable")]  # one run of gallery rows an identity
    begin, end = (gallery[by_identity].searchsorted(query, side) for side in ("left", "right"))
    counts = end - begin
    pair_query = np.repeat(np.arange(len(query)), counts)
    within = np.arange(len(pair_query)) - np.repeat(counts.cumsum() - counts, counts)  # 0, 1, … in each run
    return pair_query, by_identity[begin[pair_query] + within]


def _ranks(row: NDArray[np.float32], positives: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where a stable sort of one query's distances puts its positives, ascending."""
    if not len(positives):
        return positives
    theirs = row[positives]
    near = np.sort(row[row <= theirs.max()])
    ranks = near.searchsorted(theirs)  # how many are strictly closer
    tied = near.searchsorted(theirs, side="right") - ranks > 1
    for i in np.flatnonzero(tied):  # rare: as close, and earlier in the gallery
        ranks[i] += np.count_nonzero(row[: positives[i]] == theirs[i])
    ranks.sort()
    return ranks


def _nearest(row: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The first k rows of a stable sort of one query's distances, fewer where fewer are finite."""
    limit = np.partition(row, k - 1)[k - 1] if k <= len(row) else np.inf
    near = np.flatnonzero((row <= limit) & (row < np.inf))
    return near[np.argsort(row[near], kind="stable")[:k]]


def _fill(out: Tensor, distance: Distance, query: Features, gallery: Features) -> None:
    """Write one block of distances to ``out`` (b, Ng), all finite."""
    distances = distance(query, gallery)
    if distances.shape != out.shape:
        raise ValueError(
            f"{distance} returned distances of shape {tuple(distances.shape)} for {len(out)} queries and "
            f"{out.shape[1]} gallery images: it must be {tuple(out.shape)}"
        )
    out.copy_(distances)
    if out.sum().isfinite():  # one pass; what follows takes three, and decides
        return
    if bad := _not_finite(out):
        raise ValueError(
            f"{distance} is NaN or infinite for {bad} of {len(out)} queries of a block, where embeddings of "
            f"{_not_finite(query.embedding)} queries and {_not_finite(gallery.embedding)} gallery images are "
            "not finite: look for a diverged loss, or for features in float16 that overflowed"
        )


def _not_finite(table: Tensor) -> int:
    """How many rows of (N, D) hold a NaN or an infinity."""
    return int((~table.isfinite()).any(1).sum())


def _check(
    query: Features,
    query_labels: Labels,
    gallery: Features,
    gallery_labels: Labels,
    *,
    top: int,
    same_camera: str,
    block: int,
) -> None:
    for side, features, labels in (("query", query, query_labels), ("gallery", gallery, gallery_labels)):
        counts = len(features.embedding), len(labels.identity), len(labels.camera)
        if len(set(counts)) > 1:
            raise ValueError(
                f"{side} has {counts[0]} embeddings, {counts[1]} identities and {counts[2]} cameras: "
                "give one of each per image"
            )
    if same_camera not in ("exclude", "keep"):
        raise ValueError(f"same_camera={same_camera!r} is not one of 'exclude', 'keep'")
    if block < 1 or top < 0:
        raise ValueError(f"block={block} must be at least 1 and top={top} at least 0")


def _array(labels: Tensor) -> NDArray[np.int64]:
    return labels.cpu().long().numpy()
