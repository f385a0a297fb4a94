"""Verification: are these two images of one identity? ROC over all pairs, where few errors are allowed."""

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.contracts import Distance, Features, Labels
from reid.evaluation.blocks import distance_blocks
from reid.evaluation.pairs import JUNK, count_others, matching_pairs


@dataclass(frozen=True)
class Verification:
    """The distances that decide which pairs a threshold accepts: all those up to it, equal ones together.

    There is no area under the whole curve: it is decided by the non-matching pairs that are not kept, among
    false positive rates that nobody runs a system at.
    """

    positives: Tensor  # (P,) float32 on the CPU; of all matching pairs, ascending
    nearest_negatives: Tensor  # (k,) float32 on the CPU; of the nearest non-matching pairs, ascending
    negatives: int  # non-matching pairs, those that are not kept among them

    def true_positive_rate(self, fpr: float) -> float:
        """TPR at FPR: the largest share of matching pairs accepted with at most ⌊fpr · negatives⌋ others.

        These are the matching pairs nearer than the first non-matching one too many: a threshold at its own
        distance would accept it as well. ``fpr`` is the decimal it is written as: 0.29 of 100 are 29.

        Raises:
            ValueError: ``fpr`` outside of [0, 1], or above what `verify` was asked for.
        """
        allowed = allowed_errors(fpr, self.negatives)
        if allowed > self._most:
            raise ValueError(
                f"fpr={fpr} allows {allowed} of {self.negatives} non-matching pairs, and what is kept tells "
                f"of up to {self._most}: verify with largest_fpr={fpr}"
            )
        return int((self._errors <= allowed).sum()) / len(self.positives)

    def curve(self) -> tuple[Tensor, Tensor]:
        """(C,) false and (C,) true positive rates, float64: every corner of the ROC up to the largest FPR.

        Ascending from FPR 0. Between two corners the curve is flat, so that its value anywhere is that of the
        last corner at or before. There are no more than P + 2.
        """
        errors = self._errors
        ends = torch.tensor([0, self._most])
        accepted = torch.from_numpy(np.unique(torch.cat([errors[errors <= self._most], ends])))
        found = torch.searchsorted(errors, accepted, right=True)
        return accepted.double() / self.negatives, found.double() / len(errors)

    @property
    def _errors(self) -> Tensor:
        """(P,) int64: the non-matching pairs accepted with each matching one; k is k or more."""
        return torch.searchsorted(self.nearest_negatives, self.positives, right=True)

    @property
    def _most(self) -> int:
        """The most accepted non-matching pairs for which the matching ones are known."""
        kept = len(self.nearest_negatives)
        return kept if kept == self.negatives else kept - 1


@torch.no_grad()
def verify(
    query: Features,
    query_labels: Labels,
    gallery: Features,
    gallery_labels: Labels,
    *,
    distance: Distance,
    largest_fpr: float = 1e-2,
    least_errors: int = 0,
    same_camera: Literal["exclude", "keep"] = "exclude",
    block: int = 128,
) -> Verification:
    """Compare each query with each gallery image, and keep what decides up to the false positive rate given.

    The pairs are those of `rank`: none with junk and, under "exclude", none of one identity by one camera. A
    query without a match still brings its non-matching pairs.

    fast-reid's protocol of this name (fastreid/evaluation/roc.py, "TPR@FPR" at 1e-4, 1e-3 and 1e-2) takes the
    same pairs, but calls the non-matching ones positive and accepts the far ones: its figures are the share
    of non-matching pairs rejected where about that share of the matching ones is. They cannot be compared
    with these, which are what face recognition and other verification report.

    Args:
        distance: smaller is closer; what it returns is not modified.
        largest_fpr: the largest rate `Verification.true_positive_rate` will be asked for.
        least_errors: the accepted non-matching pairs to be told of where ``largest_fpr`` allows fewer.
        same_camera: as in `rank`.
        block: queries a call of ``distance``. Memory is 13 · block · Ng bytes, what one call takes, and
            12 · largest_fpr · Nq · Ng for the nearest non-matching pairs, sorted at the end.

    Raises:
        ValueError: labels that do not fit the features, an option out of range, distances that are not
            finite, no matching pair, or no other pair.
    """
    if block < 1:
        raise ValueError(f"block={block} must be at least 1")
    pair_query, pair_row, counts = matching_pairs(
        query, query_labels, gallery, gallery_labels, same_camera=same_camera
    )
    junk = np.flatnonzero(gallery_labels.identity.cpu().numpy() == JUNK)
    negatives = count_others(query_labels, gallery_labels, matching=len(pair_row))
    if not counts.any() or negatives < 1:
        raise ValueError(
            f"{len(query_labels)} queries and {len(gallery_labels)} gallery images make {counts.sum()} "
            f"matching and {negatives} other pairs: verification needs both. Check that both are of one "
            "benchmark, and whole; for images of one camera, or of none, take same_camera='keep'"
        )
    errors = max(allowed_errors(largest_fpr, negatives), least_errors)
    least = _Least(min(errors + 1, negatives), of=negatives)
    same = np.empty(len(pair_row), np.float32)
    for start, table in distance_blocks(query, gallery, distance=distance, block=block):
        here = slice(*pair_query.searchsorted([start, start + len(table)]))
        places = pair_query[here] - start, pair_row[here]
        same[here] = table[places]
        table[places] = np.inf
        table[:, junk] = np.inf
        least.add(table)
    return Verification(
        positives=torch.from_numpy(np.sort(same[counts])),
        nearest_negatives=torch.from_numpy(least.ascending()),
        negatives=negatives,
    )


def allowed_errors(fpr: float, negatives: int) -> int:
    """⌊fpr · negatives⌋, by the decimal digits: in binary, 0.29 · 100 is less than 29."""
    if not 0 <= fpr <= 1:
        raise ValueError(f"fpr={fpr}: a false positive rate is from 0 to 1")
    return floor(Fraction(str(float(fpr))) * negatives)


class _Least:
    """The k least of many finite numbers, in room for 2k of them: when it is full, the larger half goes."""

    def __init__(self, k: int, *, of: int) -> None:
        self._k = k
        self._room = np.empty(min(2 * k, of), np.float32)
        self._count = 0
        self._limit = np.inf  # k numbers are known not to be above

    def add(self, numbers: NDArray[np.float32]) -> None:
        near = numbers[numbers < self._limit]
        if len(near) > self._k:
            near.partition(self._k - 1)
            near = near[: self._k]
        if self._count + len(near) > len(self._room):
            self._halve()
            near = near[near < self._limit]
        self._room[self._count : self._count + len(near)] = near
        self._count += len(near)

    def ascending(self) -> NDArray[np.float32]:
        """(k,) as an array of their own."""
        self._halve()
        return np.sort(self._room[: self._k])

    def _halve(self) -> None:
        self._room[: self._count].partition(self._k - 1)
        self._count = self._k
        self._limit = self._room[self._k - 1]
