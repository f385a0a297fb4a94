"""How well keypoints are found, after every evaluation."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.callbacks.columns import gather_rows, in_list_order
from reid.callbacks.scorer import Scorer
from reid.contracts import PoseBatch
from reid.datasets.records import Record
from reid.evaluation.pck import errors_in_units, pck, pck_legacy
from reid.modules import PoseModule


@dataclass(frozen=True)
class Poses:
    """What one evaluation found, in the order of the benchmark's test list."""

    metrics: dict[str, float]  # `pck` and `pck_legacy`; fractions
    keypoints: NDArray[np.float64]  # (N, 36, 3) x, y in pixels of the pictures, and confidence
    errors: NDArray[np.float64]  # (N,) mean over visible keypoints, in units of `pck`, each at most 1; or NaN
    seconds: float


class KeypointMetrics(Scorer):
    """Logs ``val/pck`` and its kin, by which the best epoch is chosen; see `pck` and `pck_legacy`."""

    monitor = "val/pck"
    result: Poses | None = None

    def __init__(self) -> None:
        self._found: list[Tensor] = []
        self._rows: list[Tensor] = []
        self._started = 0.0

    def score(self, result: Poses) -> float:
        return result.metrics["pck"]

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.limit_val_batches != 1.0:
            raise ValueError(
                f"trainer.limit_val_batches={trainer.limit_val_batches}: the whole test list is scored; leave"
                " it at 1.0 (fewer evaluations: trainer.check_val_every_n_epoch)"
            )
        if not isinstance(pl_module, PoseModule):
            raise ValueError(
                f"{type(pl_module).__name__} finds no keypoints: use model=pose, or callbacks=default to rank"
            )

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._found, self._rows, self._started = [], [], time.perf_counter()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: PoseBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._found.append(outputs)
        self._rows.append(batch["index"])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        records = trainer.datamodule.evaluation_records  # type: ignore[attr-defined]
        columns = {
            "index": gather_rows(torch.cat(self._rows), trainer),
            "keypoints": gather_rows(torch.cat(self._found), trainer),
        }
        self._found, self._rows = [], []
        found = in_list_order(columns, len(records))["keypoints"].cpu().numpy().astype(np.float64)
        true = true_keypoints(records)
        metrics = {**pck(found, true), **pck_legacy(found, true)}
        seconds = time.perf_counter() - self._started
        self.result = Poses(metrics, found, mean_errors(found, true), seconds)
        pl_module.log_dict({f"{self.stage}/{name}": value for name, value in metrics.items()})


def true_keypoints(records: Sequence[Record]) -> NDArray[np.float64]:
    """(N, 36, 3)."""
    return np.array([record.keypoints for record in records], np.float64)


def mean_errors(found: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,): how wrong each picture is; errors beyond a unit are equally lost. NaN where none is scored."""
    errors = errors_in_units(found, true)
    scored = np.isfinite(errors)
    total = np.where(scored, np.minimum(errors, 1), 0).sum(1)
    mean: NDArray[np.float64] = np.where(scored.any(1), total / np.maximum(scored.sum(1), 1), np.nan)
    return mean
