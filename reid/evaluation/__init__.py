"""From features to numbers: `rank` searches, the metrics score, and a `Ranking` is what passes between."""

from reid.evaluation.distance import CosineDistance, EuclideanDistance, GlobalLocalDistance, LocalDistance
from reid.evaluation.metrics import average_precision, cmc, inverse_negative_penalty, retrieval_metrics
from reid.evaluation.ranking import JUNK, Ranking, rank, rows
from reid.evaluation.reranking import ReRanking

__all__ = [
    "JUNK",
    "CosineDistance",
    "EuclideanDistance",
    "GlobalLocalDistance",
    "LocalDistance",
    "Ranking",
    "ReRanking",
    "average_precision",
    "cmc",
    "inverse_negative_penalty",
    "rank",
    "retrieval_metrics",
    "rows",
]
