"""best.ckpt and last.ckpt: which epoch each holds, and what a resumed run brings along."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from reid.callbacks import BestAndLast


class Scored(pl.LightningModule):
    """Its figure in each epoch is given."""

    def __init__(self, figures: list[float]) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.figures = figures

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        self.log("val/mAP", self.figures[self.current_epoch])
        return self.layer(batch).mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(folder: Path, figures: list[float], *, resume: Path | None = None) -> BestAndLast:
    callback = BestAndLast(str(folder))
    trainer = pl.Trainer(
        max_epochs=len(figures),
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Scored(figures), DataLoader(torch.ones(2, 1)), ckpt_path=resume, weights_only=True)
    return callback


def epoch_of(path: Path) -> int:
    return torch.load(path, weights_only=True)["epoch"]


def test_last_is_the_last_epoch_and_best_the_first_of_the_highest(tmp_path: Path) -> None:
    fit(tmp_path, [0.1, 0.5, 0.3, 0.5])
    assert epoch_of(tmp_path / "last.ckpt") == 3
    assert epoch_of(tmp_path / "best.ckpt") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "best.ckpt"}


def test_writing_the_last_leaves_the_best_alone(tmp_path: Path) -> None:
    """They are two names of one file only until the next epoch."""
    fit(tmp_path, [0.9, 0.1])
    assert epoch_of(tmp_path / "best.ckpt") == 0
    assert epoch_of(tmp_path / "last.ckpt") == 1


def test_a_resumed_run_remembers_the_best_score_and_brings_its_checkpoint(tmp_path: Path) -> None:
    fit(tmp_path / "first", [0.9])
    fit(tmp_path / "second", [0.9, 0.2], resume=tmp_path / "first" / "last.ckpt")
    assert epoch_of(tmp_path / "second" / "last.ckpt") == 1
    assert epoch_of(tmp_path / "second" / "best.ckpt") == 0


def test_a_resumed_run_without_the_best_checkpoint_begins_anew(tmp_path: Path) -> None:
    fit(tmp_path / "first", [0.9])
    (tmp_path / "first" / "best.ckpt").unlink()
    fit(tmp_path / "second", [0.9, 0.2], resume=tmp_path / "first" / "last.ckpt")
    assert epoch_of(tmp_path / "second" / "best.ckpt") == 1
