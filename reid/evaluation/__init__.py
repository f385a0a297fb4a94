"""From features to numbers: `rank` searches, the metrics score, and a `Ranking` is what passes between."""

from reid.evaluation.attributes import accuracy, confusion_matrix
from reid.evaluation.blocks import rows
from reid.evaluation.distance import CosineDistance, EuclideanDistance
from reid.evaluation.expansion import expand_queries
from reid.evaluation.flat_index import nearest_by_faiss
from reid.evaluation.further import Further
from reid.evaluation.local import GlobalLocalDistance, LocalDistance
from reid.evaluation.metrics import (
    COUNTS,
    average_precision,
    cmc,
    inverse_negative_penalty,
    retrieval_metrics,
)
from reid.evaluation.named import embedding_distances, is_of_embeddings, stripe_distances
from reid.evaluation.pairs import JUNK
from reid.evaluation.ranking import Ranking, rank
from reid.evaluation.reranking import ReRanking
from reid.evaluation.single_shot import single_shot_metrics
from reid.evaluation.threshold import Threshold, threshold_at
from reid.evaluation.tracks import Tracks
from reid.evaluation.verification import Verification, verify

__all__ = [
    "COUNTS",
    "JUNK",
    "CosineDistance",
    "EuclideanDistance",
    "Further",
    "GlobalLocalDistance",
    "LocalDistance",
    "Ranking",
    "ReRanking",
    "Threshold",
    "Tracks",
    "Verification",
    "accuracy",
    "average_precision",
    "cmc",
    "confusion_matrix",
    "embedding_distances",
    "expand_queries",
    "inverse_negative_penalty",
    "is_of_embeddings",
    "nearest_by_faiss",
    "rank",
    "retrieval_metrics",
    "rows",
    "single_shot_metrics",
    "stripe_distances",
    "threshold_at",
    "verify",
]
