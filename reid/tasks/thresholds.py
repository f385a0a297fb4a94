"""The distance up to which task=match calls two pictures one identity: found by evaluations, and kept."""

from pathlib import Path
from typing import Any

from reid.callbacks import Retrieval, RetrievalMetrics, Scorer
from reid.checkpoint import read_checkpoint, write_checkpoint

MATCH_RATE = 1e-3  # of pairs of two identities, how many task=match shall call one


def look_for_threshold(scorer: Scorer) -> None:
    """Have the next evaluations find it, where identities are evaluated."""
    if isinstance(scorer, RetrievalMetrics):
        scorer.match_rate = MATCH_RATE


def match_threshold(found: Any, scorer: Scorer, *, benchmark: str) -> dict[str, Any] | None:
    """What checkpoints keep for task=match; None of keypoints, local distances, or one identity alone."""
    if not isinstance(found, Retrieval) or found.threshold is None:
        return None
    assert isinstance(scorer, RetrievalMetrics)
    return {
        "distance": scorer.distance,
        "normalize": scorer.normalize,
        "value": found.threshold.value,
        "false_positive_rate": found.threshold.false_positive_rate,
        "benchmark": benchmark,
    }


def store_threshold(threshold: dict[str, Any] | None, path: Path) -> None:
    """Write a checkpoint again, with the threshold in place of another's; a hard-linked last.ckpt stays."""
    if not path.is_file():
        return
    checkpoint = read_checkpoint(path)
    known = {key: value for key, value in checkpoint["reid"].items() if key != "threshold"}
    if threshold is not None:
        known["threshold"] = threshold
    if known != checkpoint["reid"]:
        write_checkpoint({**checkpoint, "reid": known}, path)
