"""Pictures with marked keypoints as batches: VeRi's, which PAMTRI annotated, and the generated vehicles'."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from reid.contracts import PoseBatch
from reid.datamodules.drawn import DrawnDataModule
from reid.datamodules.pictures import PictureDataModule
from reid.datasets.records import Counts, Record
from reid.datasets.vehicles import Sizes, draw_vehicles
from reid.datasets.veri_pose import PARTS, PoseBenchmark, read_veri_pose
from reid.datasets.verify import Numbers, unlike
from reid.loading import usable
from reid.loading.device import normalize
from reid.loading.pose import Augmentation, PoseSet
from reid.loading.targets import SIGMA, draw_targets

STRIDE = 4  # pixels of an image a pixel of its heat maps


class VeRiPoseDataModule(PictureDataModule):
    """10,128 pictures of 253 of VeRi's vehicles with 36 keypoints each (PAMTRI).

    Args:
        root, name, image_size, batch_size, evaluation_batch_size, num_workers, seed: see `PictureDataModule`;
            the size in multiples of 32.
        augmentation: arguments of `Augmentation`.
        sigma: of the Gaussians to be drawn, in pixels of the heat maps, which are a quarter of the images.
        invisible_weight: of teaching that maps of keypoints that are not visible are black; published is 0.
        counts: list -> ``images``, ``identities``, ``cameras`` as published, and how many are ``missing``;
            what is absent is not compared.
        verify: compare the disk with ``counts``.
        cache: "none", or "ram" to keep decoded images in shared memory.
        on_bad_image: "error", or "skip" to leave out images that cannot be decoded.

    Raises:
        ValueError: an option out of range.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        name: str,
        image_size: Sequence[int] = (256, 256),
        batch_size: int = 32,
        evaluation_batch_size: int = 32,
        num_workers: int | None = None,
        augmentation: Mapping[str, float] = MappingProxyType({}),
        sigma: float = SIGMA,
        invisible_weight: float = 0.0,
        counts: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
        verify: bool = True,
        cache: Literal["none", "ram"] = "none",
        on_bad_image: Literal["error", "skip"] = "error",
        seed: int = 1,
    ) -> None:
        super().__init__(
            root,
            name=name,
            image_size=image_size,
            batch_size=batch_size,
            evaluation_batch_size=evaluation_batch_size,
            num_workers=num_workers,
            seed=seed,
        )
        for key, value, allowed in (
            ("cache", cache, ("none", "ram")),
            ("on_bad_image", on_bad_image, ("error", "skip")),
        ):
            if value not in allowed:
                raise ValueError(f"data.{key}={value!r}: use {' or '.join(allowed)}")
        if not sigma > 0:
            raise ValueError(f"data.sigma={sigma!r}: use a number of pixels above 0")
        if not 0 <= invisible_weight <= 1:
            raise ValueError(f"data.invisible_weight={invisible_weight!r}: use a number from 0 to 1")
        if any(side < 32 or side % 32 for side in self.image_size):
            raise ValueError(
                f"data.image_size={list(self.image_size)}: HRNet halves five times, use multiples of 32"
            )
        self.augmentation = Augmentation(**augmentation)
        self.sigma = sigma
        self.invisible_weight = invisible_weight
        self.counts = counts
        self.verify = verify
        self.cache = cache
        self.on_bad_image = on_bad_image
        self.benchmark: PoseBenchmark | None = None

    def read(self) -> PoseBenchmark:
        """Both lists, from the disk."""
        return read_veri_pose(self.root, name=self.name)

    def setup(self, stage: str | None = None) -> None:
        if self.benchmark is not None:
            return
        benchmark = self.read()
        if self.verify and (found := differences(benchmark, self.counts)):
            raise ValueError(
                f"{benchmark.name} is not as published. {'; '.join(found)}. Copy it again, or set"
                " data.verify=false to use what there is."
            )
        if self.on_bad_image == "skip":
            train, test = (usable(getattr(benchmark, part))[0] for part in PARTS)
            benchmark = replace(benchmark, train=train, test=test)
        self.train_records, self.evaluation_records = benchmark.train, benchmark.test
        self.benchmark = benchmark

    def images(self, records: Sequence[Record], stage: str) -> PoseSet:
        """Records as they are shown in the stages ``train`` and ``evaluate``."""
        augmentation = self.augmentation if stage == "train" else None
        return PoseSet(records, self.image_size, augmentation=augmentation, cache=self.cache)

    def train_images(self) -> PoseSet:
        return self.images(self.train_records, "train")

    @cached_property
    def evaluation_images(self) -> PoseSet:
        return self.images(self.evaluation_records, "evaluate")

    def on_after_batch_transfer(self, batch: PoseBatch, dataloader_idx: int) -> PoseBatch:
        """uint8 images to (B, 3, H, W) float32, normalised; in training with the heat maps to be drawn."""
        trainer = self.trainer
        if trainer is not None and not trainer.training:
            return {**batch, "image": self.prepare({"image": batch["image"]})["image"]}
        return self.with_targets(batch)

    def with_targets(self, batch: PoseBatch) -> PoseBatch:
        """A loader's batch, normalised, with the heat maps to be drawn."""
        height, width = (side // STRIDE for side in self.image_size)
        targets = draw_targets(
            batch["points"],
            height=height,
            width=width,
            stride=STRIDE,
            sigma=self.sigma,
            invisible_weight=self.invisible_weight,
        )
        image = normalize(batch["image"])
        return {**batch, "image": image, "target": targets.heatmaps, "weight": targets.weight}


class VehiclesPoseDataModule(DrawnDataModule, VeRiPoseDataModule):
    """The generated vehicles, whose keypoints are known to the pixel."""

    drawer = draw_vehicles
    sizes_class = Sizes

    def read(self) -> PoseBenchmark:
        return read_veri_pose(self.draw(), name=self.name)


def differences(benchmark: PoseBenchmark, expected: Numbers) -> list[str]:
    """A line for each number that is not as published; missing pictures are among the images."""
    found = {}
    for part in expected:
        missing, counts = len(benchmark.missing.get(part, ())), Counts.of(getattr(benchmark, part))
        found[part] = {**asdict(counts), "images": counts.images + missing, "missing": missing}
    return unlike(found, expected, at_most=("missing",))
