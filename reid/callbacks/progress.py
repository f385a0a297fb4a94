"""A bar over the steps of each epoch and over each evaluation, where a terminal is there to show it."""

from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from reid.contracts import Batch


class Progress(pl.Callback):
    """Bars on standard error that vanish when they are full, so that the line of an epoch stands alone.

    Args:
        every: steps between two looks at the loss, each of which waits for the device.
    """

    def __init__(self, every: int = 20) -> None:
        self.every = every
        self._bar: tqdm[Any] | None = None

    def _open(self, trainer: pl.Trainer, title: str, total: float, *, done: int = 0) -> None:
        self._close()
        silent = None if trainer.is_global_zero else True  # None: silent where standard error is no terminal
        self._bar = tqdm(
            total=int(total), initial=done, desc=title, unit="batch", leave=False, disable=silent
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if self._bar is None:
            title = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self._open(trainer, title, trainer.num_training_batches, done=batch_idx)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        assert self._bar is not None
        self._bar.update()
        if not self._bar.disable and batch_idx % self.every == 0:
            self._bar.set_postfix(loss=f"{float(outputs['loss']):.3f}")
        if trainer.is_last_batch:
            self._close()

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._open(trainer, "evaluating", sum(trainer.num_val_batches))

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        assert self._bar is not None
        self._bar.update()

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._close()
