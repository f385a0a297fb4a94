"""From features to numbers: `rank` searches, the metrics score, and a `Ranking` is what passes between."""

from reid.evaluation.distance import CosineDistance, EuclideanDistance
from reid.evaluation.metrics import average_precision, cmc, inverse_negative_penalty, retrieval_metrics
from reid.evaluation.ranking import Ranking, rank, rows

__all__ = [
    "CosineDistance",
    "EuclideanDistance",
    "Ranking",
    "average_precision",
    "cmc",
    "inverse_negative_penalty",
    "rank",
    "retrieval_metrics",
    "rows",
]
