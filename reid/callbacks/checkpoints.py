"""last.ckpt after every epoch, best.ckpt whenever the epoch was the best so far."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint


class BestAndLast(Checkpoint):
    """Keeps two checkpoints, each replaced only by a whole one.

    Lightning's ``ModelCheckpoint(monitor=..., save_last=True)`` renews last.ckpt only when the epoch is among
    the best: a run resumed from it would repeat the epochs since.

    Args:
        folder: where both lie.
        monitor: the logged figure that decides, larger is better; the first of equals stays.
    """

    def __init__(self, folder: str, *, monitor: str = "val/mAP") -> None:
        self.last = Path(folder) / "last.ckpt"
        self.best = Path(folder) / "best.ckpt"
        self.monitor = monitor
        self.score: float | None = None  # of best.ckpt

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.score = state_dict["score"]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A resumed run has a folder of its own: the best checkpoint so far comes along, or is forgotten."""
        if trainer.ckpt_path is None or not trainer.is_global_zero or self.best.is_file():
            return
        before = Path(trainer.ckpt_path).parent / "best.ckpt"
        if before.is_file():
            self.best.parent.mkdir(parents=True, exist_ok=True)
            self._publish(before)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        score = trainer.callback_metrics.get(self.monitor)
        have_best = trainer.strategy.broadcast(self.best.is_file())
        improved = score is not None and (self.score is None or not have_best or float(score) > self.score)
        if improved and score is not None:
            self.score = float(score)
        trainer.save_checkpoint(self.last)
        if improved and trainer.is_global_zero:
            self._publish(self.last)

    def _publish(self, source: Path) -> None:
        """Give ``source`` the name best.ckpt as well: a second name of one file where the disk has such."""
        draft = self.best.with_name(f".best.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        try:
            os.link(source, draft)
        except OSError:
            shutil.copyfile(source, draft)
        os.replace(draft, self.best)
