"""CUHK03's first protocol: a gallery of one image of each identity, drawn at random, many times."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from reid.contracts import Distance, Features, Labels
from reid.evaluation.blocks import distance_blocks
from reid.evaluation.pairs import JUNK, matching_pairs


@torch.no_grad()
def single_shot_metrics(
    query: Features,
    query_labels: Labels,
    gallery: Features,
    gallery_labels: Labels,
    *,
    distance: Distance,
    ranks: Sequence[int] = (1, 5, 10, 20),
    repeats: int = 10,
    seed: int = 0,
    same_camera: Literal["exclude", "keep"] = "exclude",
    block: int = 128,
) -> dict[str, float]:
    """mAP and CMC at ``ranks`` (``rank1``, …), as fractions, of single-shot galleries.

    Each query draws its galleries after the images of its own identity and camera are gone, as torchreid's
    ``use_metric_cuhk03`` and AlignedReID++ do (10 and 100 ``repeats``). Queries without a match are skipped;
    the others weigh the same. A gallery holds one match, so its AP is 1 / (rank from 1): AlignedReID++
    reports that, while torchreid's mAP beside this CMC is of the whole gallery, and so `retrieval_metrics`'.

    Each number among the gallery's identities is one identity: those without a query, and Market1501's 0 for
    all its distractors. Junk is none. Equal distances rank by gallery row. Query ``q`` draws from
    ``numpy.random.default_rng((seed, q))`` a number u in [0, 1) for each repeat and identity, ascending, and
    takes from the n images left of it, ascending, number ⌊u · n⌋ from 0. So neither ``block`` nor the number
    of processes changes what is drawn.

    Args:
        distance: smaller is closer; what it returns is not modified.
        same_camera: as in `rank`.
        block: queries a call of ``distance``; memory is 4 · block · Ng bytes and what one call takes, and
            some 40 · repeats · identities.

    Raises:
        ValueError: labels that do not fit the features, an option out of range, distances that are not
            finite, or no query with a match.
    """
    if repeats < 1 or seed < 0 or block < 1 or min(ranks, default=1) < 1:
        raise ValueError(
            f"repeats={repeats}, block={block} and all of ranks={tuple(ranks)} must be at least 1 and "
            f"seed={seed} at least 0"
        )
    pair_query, pair_row, counts = matching_pairs(
        query, query_labels, gallery, gallery_labels, same_camera=same_camera
    )
    pair_query, pair_row = pair_query[counts], pair_row[counts]
    scored, begin = np.unique(pair_query, return_index=True)
    if not len(scored):
        raise ValueError(
            f"none of {len(query_labels)} queries has a match among {len(gallery_labels)} gallery images: "
            "check that both are of one benchmark, and whole; for images of one camera, or of none, take "
            "same_camera='keep'"
        )
    matches = dict(zip(scored.tolist(), np.split(pair_row, begin[1:]), strict=True))
    shelves = _Shelves(gallery_labels.identity.cpu().numpy())
    wanted = query_labels.identity.cpu().numpy()
    places = np.empty((len(scored), repeats), np.int64)
    for start, table in distance_blocks(query, gallery, distance=distance, block=block):
        for q in range(start, start + len(table)):
            if q in matches:
                draw = np.random.default_rng((seed, q)).random((repeats, len(shelves.counts)))
                place = shelves.place_of(wanted[q], matches[q], draw, row=table[q - start])
                places[scored.searchsorted(q)] = place
    return {
        "mAP": float((1 / (places + 1)).mean()),
        **{f"rank{k}": float((places < k).mean()) for k in ranks},
    }


class _Shelves:
    """The gallery's rows by identity, junk apart."""

    def __init__(self, identity: NDArray[np.int64]) -> None:
        valid = np.flatnonzero(identity != JUNK)
        self.rows = valid[np.argsort(identity[valid], kind="stable")]
        self.identities, self.starts, self.counts = np.unique(
            identity[self.rows], return_index=True, return_counts=True
        )

    def place_of(
        self,
        wanted: np.int64,
        matches: NDArray[np.int64],
        draw: NDArray[np.float64],
        *,
        row: NDArray[np.float32],
    ) -> NDArray[np.int64]:
        """(R,) where, from 0, one query's match stands in the galleries that ``draw`` (R, I) makes."""
        drawn = self.rows[self.starts + (draw * self.counts).astype(np.int64)]  # (R, I)
        own = self.identities.searchsorted(wanted)
        match = matches[(draw[:, own] * len(matches)).astype(np.int64), None]  # (R, 1)
        drawn[:, own] = match[:, 0]
        near, limit = row[drawn], row[match]
        ahead = (near < limit) | ((near == limit) & (drawn < match))
        place: NDArray[np.int64] = ahead.sum(1)
        return place
