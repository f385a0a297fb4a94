"""The loaders that all data modules share: training batches drawn anew, evaluation in the list's order."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from reid.datasets.records import Record
from reid.loading import DrawBatchSampler, EvaluationBatchSampler, RandomSampler
from reid.loading.device import on_device


class PictureDataModule(pl.LightningDataModule):
    """Two lists of records as batches. A subclass reads them in ``setup`` and says what shows them.

    Args:
        root: folder in which benchmarks lie.
        name: the benchmark's name, for messages and folders.
        image_size: (height, width) in pixels of every image of a batch.
        batch_size: training images per device and step.
        evaluation_batch_size: images per forward pass of an evaluation.
        num_workers: loader processes; if None, none for a CPU trainer, whose threads use the cores, and
            up to 8 for an accelerator.
        seed: of sampling and augmentation.

    Raises:
        ValueError: a batch without images.
    """

    name: str
    benchmark: Any  # as read, after ``setup``
    train_records: Sequence[Record]
    evaluation_records: Sequence[Record]

    def __init__(
        self,
        root: str | Path,
        *,
        name: str,
        image_size: Sequence[int],
        batch_size: int,
        evaluation_batch_size: int,
        num_workers: int | None,
        seed: int,
    ) -> None:
        super().__init__()
        for key, number in (("batch_size", batch_size), ("evaluation_batch_size", evaluation_batch_size)):
            if not isinstance(number, int) or number < 1:
                raise ValueError(f"data.{key}={number!r}: use a whole number of 1 or more")
        self.root = Path(root).expanduser()
        self.name = name
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.batch_size = batch_size
        self.evaluation_batch_size = evaluation_batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.prepare: Callable[[Any], Any] = on_device  # exported files may want another form

    def setup(self, stage: str | None = None) -> None:
        """Read the lists, if they are not yet."""

    @property
    def channels(self) -> int:
        """Planes of every image of a batch."""
        return 3

    @property
    def vocabulary(self) -> Mapping[str, Sequence[str]]:
        """Attribute -> names of its values, which a network that is trained on this learns to tell apart."""
        return {}

    def speak(self, vocabulary: Mapping[str, Sequence[str]]) -> None:
        """Number attributes as the network that is evaluated was taught to."""
        self.setup()

    def train_images(self) -> Dataset[Any]:
        """The training list, as augmentation shows it."""
        raise TypeError(f"{type(self).__name__} does not say how images are shown")

    @cached_property
    def evaluation_images(self) -> Any:
        """The evaluation's list; kept, as a training and its final evaluation each ask for a loader."""
        raise TypeError(f"{type(self).__name__} does not say how images are shown")

    def train_sampler(self, **place: int) -> DistributedSampler[int]:
        """Rows of the training list in the order in which the process at this place sees them."""
        return RandomSampler(len(self.train_records), seed=self.seed, **place)

    def train_batches(self, *, epoch: int = 0, skip_batches: int = 0) -> DrawBatchSampler:
        """Which images make up the batches of this process, from ``epoch`` on."""
        place = {"num_replicas": self._trainer().world_size, "rank": self._trainer().global_rank}
        sampler = self.train_sampler(**place)
        sampler.set_epoch(epoch)
        batches = DrawBatchSampler(sampler, self.batch_size, seed=self.seed, skip_batches=skip_batches)
        if not len(batches):
            raise ValueError(
                f"{self.name} has {len(self.train_records)} training images, fewer than one batch of"
                f" data.batch_size={self.batch_size} on each of {place['num_replicas']} processes"
            )
        return batches

    def train_dataloader(self) -> DataLoader[Any]:
        # A resumed run makes its first iterator before Lightning tells the sampler its epoch, and may begin
        # in mid-epoch.
        loops = self._trainer().fit_loop
        steps = loops.epoch_loop.batch_progress
        batches = self.train_batches(
            epoch=loops.epoch_progress.current.processed,  # type: ignore[attr-defined]
            skip_batches=0 if steps.is_last_batch else steps.current.ready,
        )
        return self._loader(self.train_images(), batches)

    def val_dataloader(self) -> DataLoader[Any]:
        images, processes = self.evaluation_images, self._trainer().world_size
        a_batch_each = -(-len(images) // processes)
        batches = EvaluationBatchSampler(
            len(images),
            min(self.evaluation_batch_size, a_batch_each),
            num_replicas=processes,
            rank=self._trainer().global_rank,
        )
        return self._loader(images, batches)

    def _loader(self, images: Dataset[Any], batches: Any) -> DataLoader[Any]:
        trainer = self._trainer()
        on_cpu = trainer.strategy.root_device.type == "cpu"
        workers = self.num_workers
        if workers is None:
            workers = 0 if on_cpu else min(8, max(1, (os.cpu_count() or 1) // trainer.num_devices))
        return DataLoader(
            images,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=as_it_is,
            pin_memory=not on_cpu,
            persistent_workers=workers > 0,
            generator=torch.Generator().manual_seed(self.seed),  # spares the global random state
        )

    def _trainer(self) -> pl.Trainer:
        assert self.trainer is not None, "a data module's loaders belong to a trainer"
        return self.trainer


def as_it_is(batch: Any) -> Any:
    """Batches come collated: a whole batch is fetched at once."""
    return batch
