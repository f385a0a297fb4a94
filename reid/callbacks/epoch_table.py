"""metrics.csv: a row an epoch, the whole history of the run, also of the runs it was resumed from."""

import csv
import io
import logging
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from reid.whole import write_whole

log = logging.getLogger(__name__)


class EpochTable(pl.Callback):
    """Rewrites ``path`` after each epoch and says the epoch's figures in one line.

    Loggers get the epoch's learning rate, which Lightning does not log.

    Args:
        path: the csv file. Rows of a resumed run come from its checkpoint.
        announce: log one line an epoch (for terminals without a progress bar, and for log files).
    """

    def __init__(self, path: str, *, announce: bool = True) -> None:
        self.path = Path(path)
        self.announce = announce
        self.rows: list[dict[str, float]] = []
        self._started = self._rate = 0.0
        self._evaluated = False

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = [dict(row) for row in state_dict["rows"]]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(trainer)  # a run resumed in mid-epoch has no start of that epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(trainer)

    def _begin(self, trainer: pl.Trainer) -> None:
        self._started = time.perf_counter()
        self._rate = trainer.optimizers[0].param_groups[0]["lr"]
        self._evaluated = False

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._evaluated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning goes on showing an evaluation's figures in later epochs without one
        kinds = ("train/", "val/") if self._evaluated else ("train/",)
        logged = {n: float(value) for n, value in trainer.callback_metrics.items() if n.startswith(kinds)}
        row = {
            "epoch": trainer.current_epoch,
            "step": trainer.global_step,
            "learning_rate": self._rate,
            **dict(sorted(logged.items())),
            "seconds": time.perf_counter() - self._started,
        }
        self.rows = [*self.rows, row]
        for logger in trainer.loggers:  # Lightning logs the losses and figures
            logger.log_metrics({"train/learning_rate": self._rate}, trainer.global_step - 1)
        if trainer.is_global_zero:
            self._write()
            if self.announce:
                log.info(sentence(row, int(trainer.max_epochs or 0)))

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        writer.writerows(self.rows)
        write_whole(self.path, text.getvalue().encode())


def sentence(row: dict[str, float], epochs: int) -> str:
    """One epoch in one line."""
    parts = [f"epoch {int(row['epoch']) + 1:3d}/{epochs}"]
    if "train/loss" in row:
        parts.append(f"loss {row['train/loss']:.4f}")
    if "val/mAP" in row:
        parts.append(f"mAP {100 * row['val/mAP']:5.2f} %  rank-1 {100 * row['val/rank1']:5.2f} %")
    if "val/pck" in row:
        parts.append(f"PCK {100 * row['val/pck']:5.2f} %  @0.1 {100 * row['val/pck_at_0.1']:5.2f} %")
    for name, value in row.items():
        if name.startswith("val/") and name.endswith("_accuracy"):
            parts.append(f"{name.removeprefix('val/').removesuffix('_accuracy')} {100 * value:5.2f} %")
    if "train/images_per_second" in row:
        parts.append(f"{row['train/images_per_second']:.0f} images/s")
    return "  ".join([*parts, f"{row['seconds']:.1f} s"])
