"""How many images a second training takes in, and how much of its time it waits for data."""

import time
from typing import Any

import pytorch_lightning as pl
import torch

from reid.contracts import Batch


class Throughput(pl.Callback):
    """Logs ``train/images_per_second``, ``train/images_per_second_per_device`` and ``train/data_wait``.

    Of each epoch, all devices together where no device is named; ``data_wait`` is the share of time in which
    the first rank waits for its next batch.

    Args:
        skip: first steps of the run that are not counted: allocators, compilers and file caches warm up.
    """

    def __init__(self, skip: int = 6) -> None:
        self.skip = skip
        self.images_per_second = 0.0  # of the whole run so far
        self._left_to_skip = skip
        self._images = self._seconds = self._waited = 0.0
        self._all_images = self._all_seconds = 0.0
        self._mark = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._left_to_skip = min(self.skip, int(trainer.num_training_batches) // 2)
        self._mark = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._images = self._seconds = self._waited = 0.0
        self._mark = time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        if not self._left_to_skip:
            self._waited += now - self._mark
            self._seconds += now - self._mark
        self._mark = now

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if pl_module.device.type != "cpu" and (trainer.is_last_batch or self._left_to_skip == 1):
            torch.accelerator.synchronize()
        now = time.perf_counter()
        if self._left_to_skip:
            self._left_to_skip -= 1
        else:
            self._seconds += now - self._mark
            self._images += len(batch["image"]) * trainer.world_size
        self._mark = now

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._images:
            return
        self._all_images += self._images
        self._all_seconds += self._seconds
        self.images_per_second = self._all_images / self._all_seconds
        speed = self._images / self._seconds
        pl_module.log("train/images_per_second", speed)
        pl_module.log("train/images_per_second_per_device", speed / trainer.world_size)
        pl_module.log("train/data_wait", self._waited / self._seconds)
