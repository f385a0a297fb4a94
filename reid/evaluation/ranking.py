"""The exact search: at which rank of the gallery each query meets its own identity."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.contracts import Distance, Features, Labels
from reid.evaluation.blocks import affordable, tables
from reid.evaluation.pairs import JUNK, check_labels, labelled_pairs
from reid.evaluation.progress import Progress
from reid.evaluation.threads import over_threads
from reid.evaluation.tracks import Tracks

MEMORY = 44 * 10**6  # bytes by default: with what a distance takes beside its result, below 64 MB
AT_LEAST = 32  # queries compared at once by default
SEARCH = 24  # bytes that the search in one row takes for each gallery image at most
REDUCTION = 8  # bytes an image more where tracks are ranked: its distance beside those of its track's images
FOLD = 32  # distances of which the least stands for all in the first look for neighbours


@dataclass(frozen=True)
class Ranking:
    """What a search found for Nq queries; ranks count from 0 and leave ignored gallery images out.

    Ignored are junk and, unless asked to stay, the images of a query's identity by a query's camera.
    Everything lives on the CPU. A query's positives are ``ranks[offsets[q]:offsets[q + 1]]``. Where tracks
    were ranked, each stands for one image here, and in ``top`` for its nearest.
    """

    ranks: Tensor  # (P,) int64; of every positive of every query, ascending within a query
    offsets: Tensor  # (Nq + 1,) int64
    top: Tensor  # (Nq, k) int64; gallery rows, nearest first; -1 where fewer are left
    top_distance: Tensor  # (Nq, k) float32; inf where fewer are left
    gallery_size: int  # images, or tracks, that are not junk

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
    tracks: Tracks | None = None,
    block: int | None = None,
    memory: int | None = None,
) -> Ranking:
    """Rank the gallery of each query as a stable sort would, without sorting it or holding an Nq × Ng matrix.

    Nothing behind a query's farthest positive can change CMC, AP or INP, so only what stands before it is
    sorted. Equal distances rank by gallery row. Distances are computed where the features are, for as many
    queries at a time as ``memory`` allows and always against the same ``gallery`` object; the search itself
    runs on the CPU, whose threads share the queries. Work of more than some seconds says so.

    Args:
        distance: smaller is closer; what it returns is not modified.
        top: how many nearest gallery rows to keep for ranked lists.
        same_camera: "exclude" ignores gallery images of the query's identity and camera, as Market1501,
            DukeMTMC-reID, CUHK03, MSMT17 and VeRi do; "keep" is for sets without cameras, and their gallery
            must not hold the queries themselves.
        tracks: rank these instead of the gallery's images, each as near as the nearest of its own.
        block: the most queries to compare at once; None: as many as ``memory`` allows.
        memory: bytes to stay within beside the features, and beside what ``distance`` takes for more than
            its result. Like ``block`` it never decides what is found. None: `MEMORY`, or
            what `AT_LEAST` queries need if that is more.

    Raises:
        ValueError: on labels that do not fit the features, an option out of range, distances that are not
            finite, or too little memory for one query.
    """
    if top < 0 or (block is not None and block < 1):
        raise ValueError(f"block={block} must be at least 1 and top={top} at least 0")
    queries, images = len(query_labels), len(gallery_labels)
    check_labels(query, query_labels, gallery, gallery_labels)
    if tracks is not None and len(tracks.rows) != images:
        raise ValueError(f"tracks of {len(tracks.rows)} images do not fit a gallery of {images}")
    ranked = gallery_labels if tracks is None else tracks.labels
    pairs = _pairs(*labelled_pairs(query_labels, ranked, same_camera=same_camera), queries)
    junk = ranked.identity.cpu().numpy() == JUNK

    # What is kept is allocated first: small arrays left between the blocks would fragment the heap.
    ranks = np.empty_like(pairs.positives)
    top_row = np.full((queries, top), -1)
    top_distance = np.full((queries, top), np.inf, np.float32)
    kept = pairs.nbytes + ranks.nbytes + top_row.nbytes + top_distance.nbytes
    kept += (SEARCH + REDUCTION * (tracks is not None)) * images * torch.get_num_threads()
    if memory is None:  # the default is no limit: many threads need more
        memory = max(MEMORY, kept + 4 * AT_LEAST * images)
    most = affordable(memory, kept, images=images, queries=queries)
    with Progress(f"ranking {queries:,} queries x {images:,} images", queries) as progress:
        for start, table in tables(query, gallery, distance=distance, block=min(block or most, most)):

            def search(numbers: range, start: int = start, table: NDArray[np.float32] = table) -> None:
                counted = ~junk
                for q in numbers:
                    of_images, own = table[q - start], slice(pairs.offsets[q], pairs.offsets[q + 1])
                    row = of_images if tracks is None else tracks.distances(of_images)
                    positives, ignored = pairs.positives[own], pairs.ignored_by(q)
                    counted[ignored] = False
                    near = _near(row, positives, counted, top)
                    ranks[own], nearest = _ranked(row, positives, near, top)
                    counted[ignored] = ~junk[ignored]
                    top_distance[q, : len(nearest)] = row[nearest]
                    if tracks is not None:
                        nearest = tracks.nearest_images(of_images, nearest)
                    top_row[q, : len(nearest)] = nearest

            over_threads(search, range(start, start + len(table)), device=torch.device("cpu"))
            progress.advance(len(table))
            del table, search  # before the next block is computed
    return Ranking(
        ranks=torch.from_numpy(ranks),
        offsets=torch.from_numpy(pairs.offsets),
        top=torch.from_numpy(top_row),
        top_distance=torch.from_numpy(top_distance),
        gallery_size=len(ranked) - int(junk.sum()),
    )


@dataclass(frozen=True)
class _Pairs:
    """The gallery rows of each query's identity: those to find, and those to ignore."""

    positives: NDArray[np.int64]
    offsets: NDArray[np.int64]  # (Nq + 1,) into `positives`
    ignored: NDArray[np.int64]
    ignored_offsets: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in vars(self).values())

    def ignored_by(self, q: int) -> NDArray[np.int64]:
        return self.ignored[self.ignored_offsets[q] : self.ignored_offsets[q + 1]]


def _pairs(
    pair_query: NDArray[np.int64], pair_row: NDArray[np.int64], counts: NDArray[np.bool_], queries: int
) -> _Pairs:
    ends = np.arange(queries + 1)
    offsets, ignored_offsets = (pair_query[part].searchsorted(ends) for part in (counts, ~counts))
    return _Pairs(pair_row[counts], offsets, pair_row[~counts], ignored_offsets)


def _near(
    row: NDArray[np.float32], positives: NDArray[np.int64], counted: NDArray[np.bool_], top: int
) -> NDArray[np.bool_]:
    """(Ng,) the counted gallery rows up to the farthest positive, and on until they are ``top``."""
    near = counted & (row <= (row[positives].max() if len(positives) else -np.inf))
    if not top or np.count_nonzero(near) >= top:
        return near
    # The k-th least of every groups-th column's least is no less than the k-th least of all.
    groups = max(1, len(row) // FOLD)
    least = row[: len(row) // groups * groups].reshape(-1, groups).min(0)
    k = min(4 * top, groups - 1)  # more than asked for, as some are ignored
    wide = counted & (row <= np.partition(least, k)[k])
    return wide if np.count_nonzero(wide) >= top else counted


def _ranked(
    row: NDArray[np.float32],
    positives: NDArray[np.int64],
    near: NDArray[np.bool_],
    top: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where a stable sort of the rows ``near`` puts the positives, ascending; its first ``top`` rows."""
    ordered, theirs = row[near], row[positives]
    ordered.sort()
    ranks = ordered.searchsorted(theirs)  # how many are strictly closer
    tied = ordered.searchsorted(theirs, side="right") - ranks > 1
    for i in np.flatnonzero(tied):  # rare: as close, and earlier in the gallery
        before = slice(positives[i])
        ranks[i] += np.count_nonzero(near[before] & (row[before] == theirs[i]))
    ranks.sort()
    if not top or not len(ordered):
        return ranks, positives[:0]
    first = np.flatnonzero(near & (row <= ordered[min(top, len(ordered)) - 1]))
    return ranks, first[np.argsort(row[first], kind="stable")[:top]]
