"""The loaders that every benchmark shares: training batches; query and gallery in one evaluation loader."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from reid.contracts import Batch
from reid.datasets.combine import train_on_all
from reid.datasets.records import PARTS, Benchmark, Record
from reid.datasets.verify import verify_counts
from reid.loading import (
    DrawBatchSampler,
    EvaluationBatchSampler,
    IdentitySampler,
    ImageSet,
    Pipeline,
    RandomSampler,
    relabel,
    usable,
)

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, as all published systems normalise
STD = (0.229, 0.224, 0.225)


class ReIDDataModule(pl.LightningDataModule):
    """A benchmark's images as batches. A subclass says how to ``read`` its benchmark.

    Args:
        root: folder in which benchmarks lie.
        name: the benchmark's name, for messages and folders.
        transforms: ``train`` and ``evaluate``, each a list of albumentations transforms.
        num_identities: training identities as published, the classifier's size; None: as the disk has them.
        counts: list -> ``images``, ``identities``, ``cameras`` as published; what is absent is not compared.
        verify: compare the disk with ``counts``.
        combine_all: train on query and gallery too.
        image_size: (height, width) in pixels of every image of a batch.
        batch_size: training images per device and step.
        sampler: "random"; "identity" for P x K batches; "identity_once" for one group of K an identity an
        epoch.
        images_per_identity: K of the P x K batches; P = batch_size / K.
        evaluation_batch_size: images per forward pass of an evaluation.
        num_workers: loader processes; if None, none for a CPU trainer, whose threads use the cores, and
            up to 8 for an accelerator.
        cache: "none", or "ram" to keep decoded images in shared memory.
        on_bad_image: "error", or "skip" to leave out images that cannot be decoded.
        seed: of sampling and augmentation.
    """

    name: str

    def __init__(
        self,
        root: str | Path,
        *,
        name: str,
        transforms: Mapping[str, Sequence[Any]],
        num_identities: int | None,
        counts: Mapping[str, Mapping[str, int]],
        verify: bool = True,
        combine_all: bool = False,
        image_size: Sequence[int] = (256, 128),
        batch_size: int = 64,
        sampler: Literal["random", "identity", "identity_once"] = "random",
        images_per_identity: int = 4,
        evaluation_batch_size: int = 256,
        num_workers: int | None = None,
        cache: Literal["none", "ram"] = "none",
        on_bad_image: Literal["error", "skip"] = "error",
        seed: int = 1,
    ) -> None:
        super().__init__()
        for key, value, allowed in (
            ("sampler", sampler, ("random", "identity", "identity_once")),
            ("cache", cache, ("none", "ram")),
            ("on_bad_image", on_bad_image, ("error", "skip")),
            ("combine_all", combine_all, (True, False)),
        ):
            if value not in allowed:
                raise ValueError(f"data.{key}={value!r}: use {' or '.join(map(str, allowed))}")
        for key, number in (
            ("batch_size", batch_size),
            ("images_per_identity", images_per_identity),
            ("evaluation_batch_size", evaluation_batch_size),
        ):
            if not isinstance(number, int) or number < 1:
                raise ValueError(f"data.{key}={number!r}: use a whole number of 1 or more")
        if sampler != "random" and batch_size % images_per_identity:
            raise ValueError(
                f"data.batch_size={batch_size} is no multiple of"
                f" data.images_per_identity={images_per_identity}"
            )
        self.root = Path(root).expanduser()
        self.name = name
        self.transforms = transforms
        self.num_identities = num_identities
        self.counts = counts
        self.verify = verify
        self.combine_all = combine_all
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.batch_size = batch_size
        self.sampler = sampler
        self.images_per_identity = images_per_identity
        self.evaluation_batch_size = evaluation_batch_size
        self.num_workers = num_workers
        self.cache = cache
        self.on_bad_image = on_bad_image
        self.seed = seed
        self.benchmark: Benchmark | None = None

    def read(self) -> Benchmark:
        """The benchmark's three lists, from the disk."""
        raise TypeError(f"{type(self).__name__} does not say how its benchmark is read")

    def read_verified(self) -> Benchmark:
        """The same, compared with the published counts if ``verify`` is set."""
        benchmark = self.read()
        if self.verify:
            verify_counts(benchmark, self.counts)
        return benchmark

    def setup(self, stage: str | None = None) -> None:
        if self.benchmark is not None:
            return
        benchmark = self.read_verified()
        if self.on_bad_image == "skip":
            train, query, gallery = (usable(getattr(benchmark, part))[0] for part in PARTS)
            benchmark = replace(benchmark, train=train, query=query, gallery=gallery)
        if self.combine_all:
            benchmark = train_on_all(benchmark)
        self.train_records, self.identities = relabel(benchmark.train)
        if self.num_identities is None:
            self.num_identities = len(self.identities)
        elif len(self.identities) > self.num_identities:
            raise ValueError(
                f"{benchmark.name} has {len(self.identities)} training identities, the classifier has"
                f" room for {self.num_identities}: set data.num_identities={len(self.identities)}"
            )
        self.evaluation_records: Sequence[Record] = [*benchmark.query, *benchmark.gallery]
        self.benchmark = benchmark

    def train_batches(self, *, epoch: int = 0, skip_batches: int = 0) -> DrawBatchSampler:
        """Which images make up the batches of this process, from ``epoch`` on."""
        place = {"num_replicas": self._trainer().world_size, "rank": self._trainer().global_rank}
        labels = [record.identity for record in self.train_records]
        sampler = (
            IdentitySampler(
                labels,
                identities_per_batch=self.batch_size // self.images_per_identity,
                images_per_identity=self.images_per_identity,
                once=self.sampler == "identity_once",
                seed=self.seed,
                **place,
            )
            if self.sampler != "random"
            else RandomSampler(len(labels), seed=self.seed, **place)
        )
        sampler.set_epoch(epoch)
        batches = DrawBatchSampler(sampler, self.batch_size, seed=self.seed, skip_batches=skip_batches)
        if not len(batches):
            raise ValueError(
                f"{self.name} has {len(labels)} training images, fewer than one batch of"
                f" data.batch_size={self.batch_size} on each of {place['num_replicas']} processes"
            )
        return batches

    def train_dataloader(self) -> DataLoader[Batch]:
        # A resumed run makes its first iterator before Lightning tells the sampler its epoch, and may begin
        # in mid-epoch.
        loops = self._trainer().fit_loop
        steps = loops.epoch_loop.batch_progress
        batches = self.train_batches(
            epoch=loops.epoch_progress.current.processed,  # type: ignore[attr-defined]
            skip_batches=0 if steps.is_last_batch else steps.current.ready,
        )
        pipeline = Pipeline(self.transforms["train"], size=self.image_size)
        return self._loader(ImageSet(self.train_records, pipeline, cache=self.cache), batches)

    def val_dataloader(self) -> DataLoader[Batch]:
        images, processes = self.evaluation_images, self._trainer().world_size
        a_batch_each = -(-len(images) // processes)
        batches = EvaluationBatchSampler(
            len(images),
            min(self.evaluation_batch_size, a_batch_each),
            num_replicas=processes,
            rank=self._trainer().global_rank,
        )
        return self._loader(images, batches)

    @cached_property
    def evaluation_images(self) -> ImageSet:
        """Query, then gallery; kept, as a training and its final evaluation each ask for a loader."""
        assert self.benchmark is not None
        return ImageSet(
            self.evaluation_records,
            Pipeline(self.transforms["evaluate"], size=self.image_size),
            queries=len(self.benchmark.query),
            cache=self.cache,
        )

    def _loader(self, images: ImageSet, batches: Any) -> DataLoader[Batch]:
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

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """(B, H, W, C) uint8 to (B, C, H, W) float32, normalised, on the device: a quarter of the traffic."""
        return {**batch, "image": normalize(batch["image"])}


def normalize(image: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 with ImageNet's mean and deviation."""
    mean, deviation = gray_levels(image.device)
    return image.float().sub_(mean).div_(deviation).permute(0, 3, 1, 2)


@cache
def gray_levels(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation of 0..255, sent to a device once: each copy would make it wait."""
    return torch.tensor(MEAN, device=device).mul_(255), torch.tensor(STD, device=device).mul_(255)


def as_it_is(batch: Any) -> Any:
    """Batches come collated: a whole batch is fetched at once."""
    return batch
