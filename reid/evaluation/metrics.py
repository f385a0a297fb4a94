"""The scores of a `Ranking`: CMC, average precision and inverse negative penalty, all in float64."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from reid.evaluation.ranking import Ranking

COUNTS = ("queries", "queries_skipped", "gallery")  # what `retrieval_metrics` says beside fractions


def cmc(ranking: Ranking, max_rank: int) -> Tensor:
    """(max_rank,) float64: the share of scored queries whose first match is among the nearest 1, 2, ….

    Queries without a match are not scored. In a gallery smaller than ``max_rank`` the last value repeats.

    Raises:
        ValueError: if no query has a match or ``max_rank`` is below 1.
    """
    if max_rank < 1:
        raise ValueError(f"max_rank={max_rank} must be at least 1")
    scored = _scored(ranking)
    first = ranking.ranks[ranking.offsets[:-1][scored]]
    hits = torch.bincount(first[first < max_rank], minlength=max_rank)
    return hits.cumsum(0).double() / scored.sum()


def average_precision(ranking: Ranking, *, rule: Literal["rectangle", "trapezoid"] = "rectangle") -> Tensor:
    """(Nq,) float64: the area under each query's precision-recall curve; NaN without a match.

    Args:
        rule: "rectangle" averages the precision at each match, as torchreid and all other recipes here do;
            "trapezoid" averages, with it, the precision one place earlier (1 before the first place), as the
            MATLAB code released with Market1501 and VeRi does.
    """
    if rule not in ("rectangle", "trapezoid"):
        raise ValueError(f"rule={rule!r} is not one of 'rectangle', 'trapezoid'")
    query, rank = ranking.query, ranking.ranks.double()
    before = (torch.arange(len(rank)) - ranking.offsets[query]).double()  # matches in front of this one
    height = (before + 1) / (rank + 1)
    if rule == "trapezoid":
        height = (height + torch.where(rank > 0, before / rank, 1.0)) / 2
    return torch.zeros(len(ranking), dtype=torch.float64).index_add_(0, query, height) / ranking.positives


def inverse_negative_penalty(ranking: Ranking) -> Tensor:
    """(Nq,) float64: how many matches over the rank, from 1, of the hardest; NaN without a match.

    Its mean is the mINP of Ye et al., "Deep Learning for Person Re-identification" (2021).
    """
    penalty = torch.full((len(ranking),), torch.nan, dtype=torch.float64)
    matched = ranking.positives > 0
    hardest = ranking.ranks[ranking.offsets[1:][matched] - 1]
    penalty[matched] = ranking.positives[matched].double() / (hardest + 1)
    return penalty


def retrieval_metrics(
    ranking: Ranking,
    *,
    ranks: Sequence[int] = (1, 5, 10, 20),
    rule: Literal["rectangle", "trapezoid"] = "rectangle",
) -> dict[str, float]:
    """A row of a results table: mAP, mINP and CMC at ``ranks`` (``rank1``, …) as fractions, and three counts.

    ``queries`` counts all of them, ``queries_skipped`` those without a match, which no mean includes, and
    ``gallery`` the images that are not junk.

    Raises:
        ValueError: if no query has a match.
    """
    scored = _scored(ranking)
    curve = cmc(ranking, max(ranks, default=1))
    return {
        "mAP": average_precision(ranking, rule=rule)[scored].mean().item(),
        "mINP": inverse_negative_penalty(ranking)[scored].mean().item(),
        **{f"rank{k}": curve[k - 1].item() for k in ranks},
        "queries": len(ranking),
        "queries_skipped": int((~scored).sum()),
        "gallery": ranking.gallery_size,
    }


def _scored(ranking: Ranking) -> Tensor:
    """(Nq,) bool: the queries that have a match."""
    scored = ranking.positives > 0
    if not scored.any():
        raise ValueError(
            f"None of {len(ranking)} queries has a match among {ranking.gallery_size} gallery images. Either "
            "the two share no identity: check that both are of one benchmark, and whole. Or every match was "
            "taken by the query's own camera, and those do not count: for images of one camera, or of none, "
            "rank with same_camera='keep'"
        )
    return scored
