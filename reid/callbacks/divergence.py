"""Stop when the loss is no longer a number, before a checkpoint of it replaces a good one."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from reid.contracts import Batch


class StopOnDivergence(pl.Callback):
    """Raises as soon as the loss is NaN or infinite, naming the step and its learning rate.

    Args:
        every: on an accelerator the loss is looked at on the device each step but fetched only every so
            many steps and at the end of an epoch, so that training is not slowed; the step named is still the
            first bad one.

    Raises:
        ValueError: the loss of some step was not finite.
    """

    def __init__(self, every: int = 50) -> None:
        self.every = every
        self._first_bad: Tensor | None = None  # () int64 on the device; -1 while all is well
        self._rates: dict[int, float] = {}  # step -> learning rate, of steps not fetched yet
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._first_bad = torch.full((), -1, dtype=torch.long, device=pl_module.device)
        self._rates = {}

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        self._rates[trainer.global_step] = trainer.optimizers[0].param_groups[0]["lr"]
        self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        assert self._first_bad is not None
        is_new = ~torch.isfinite(outputs["loss"]) & (self._first_bad < 0)
        self._first_bad = torch.where(is_new, self._step, self._first_bad)
        on_cpu = pl_module.device.type == "cpu"
        if on_cpu or trainer.is_last_batch or (batch_idx + 1) % self.every == 0:
            self._fetch(trainer)

    def _fetch(self, trainer: pl.Trainer) -> None:
        assert self._first_bad is not None
        step = int(self._first_bad)
        if step >= 0:
            raise ValueError(
                f"the loss is not a number at step {step} (epoch {trainer.current_epoch + 1}), learning rate"
                f" {self._rates.get(step, float('nan')):.3g}: lower optimizer.lr, warm up"
                " (schedule.warmup_epochs), or use trainer.precision=32-true. Earlier checkpoints are kept"
            )
        self._rates = {}
