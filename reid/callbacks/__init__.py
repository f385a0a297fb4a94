"""What happens around the training loop: figures, checkpoints, freezing, stopping."""

from reid.callbacks.checkpoints import BestAndLast
from reid.callbacks.cores import BindCores
from reid.callbacks.divergence import StopOnDivergence
from reid.callbacks.end_together import EndTogether, is_lost_peer
from reid.callbacks.epoch_table import EpochTable
from reid.callbacks.freezing import FrozenStart
from reid.callbacks.interruption import SaveOnInterrupt
from reid.callbacks.keypoints import KeypointMetrics, Poses
from reid.callbacks.progress import Progress
from reid.callbacks.random_state import RandomState
from reid.callbacks.retrieval import Retrieval, RetrievalMetrics
from reid.callbacks.run_id import RunId
from reid.callbacks.scorer import Scorer
from reid.callbacks.throughput import Throughput

__all__ = [
    "BestAndLast",
    "BindCores",
    "EndTogether",
    "EpochTable",
    "FrozenStart",
    "KeypointMetrics",
    "Poses",
    "Progress",
    "RandomState",
    "Retrieval",
    "RetrievalMetrics",
    "RunId",
    "SaveOnInterrupt",
    "Scorer",
    "StopOnDivergence",
    "Throughput",
    "is_lost_peer",
]
