"""What every re-identification benchmark shares: identities by the batch, query and gallery in one loader."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch.utils.data import DistributedSampler

from reid.contracts import Batch
from reid.datamodules.pictures import PictureDataModule
from reid.datamodules.predicted import PoseFinder
from reid.datasets.combine import train_on_all, with_vocabulary
from reid.datasets.records import PARTS, Benchmark, Record
from reid.datasets.verify import verify_counts
from reid.loading import (
    IdentitySampler,
    ImageSet,
    Pipeline,
    relabel,
    usable,
)
from reid.loading.guides import DrawnGuides, FileGuides, Guides, PackedGuides
from reid.loading.guides.frame import UnsquaredGuides

SOURCES: Mapping[str, Callable[..., Guides]] = {
    "keypoints": DrawnGuides,
    "files": FileGuides,
    "pack": PackedGuides,
}


class ReIDDataModule(PictureDataModule):
    """A benchmark's images as batches. A subclass says how to ``read`` its benchmark.

    Args:
        root: folder in which benchmarks lie.
        name: the benchmark's name, for messages and folders.
        transforms: ``train`` and ``evaluate``, each a list of albumentations transforms.
        num_identities: training identities as published, the classifier's size; None: as the disk has them.
        counts: list -> ``images``, ``identities``, ``cameras`` as published; what is absent is not compared.
        attributes: name -> number of values, the sizes of the attributes' classifiers; None: as the disk has
            them.
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
        heatmap: stack 36 heatmaps of keypoints on each image.
        segment: stack 13 masks of faces behind them.
        keypoints: give the 36 keypoints too.
        guides: where heatmaps and segments come from: "keypoints" draws them, "files" are PAMTRI's JPEGs,
            "pack" what ``task=pack`` made, "pose" what the ``finder`` finds, keypoints too.
        pose_checkpoint: the file that the finder is of.
        segment_confidence: a segment is shown if all its corners are as sure as that; 0 shows all.
        flip_swap: a mirrored vehicle's left is its right; PAMTRI's loaders do not know.
        heatmap_frame: "square" for files that show a square around the image, as PAMTRI's do.
        seed: of sampling and augmentation.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        name: str,
        transforms: Mapping[str, Sequence[Any]],
        num_identities: int | None,
        counts: Mapping[str, Mapping[str, int]],
        attributes: Mapping[str, int] | None = MappingProxyType({}),
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
        heatmap: bool = False,
        segment: bool = False,
        keypoints: bool = False,
        guides: Literal["keypoints", "files", "pack", "pose"] = "keypoints",
        pose_checkpoint: str | None = None,
        segment_confidence: float = 0.5,
        flip_swap: bool = True,
        heatmap_frame: Literal["image", "square"] = "image",
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
            ("sampler", sampler, ("random", "identity", "identity_once")),
            ("cache", cache, ("none", "ram")),
            ("on_bad_image", on_bad_image, ("error", "skip")),
            ("combine_all", combine_all, (True, False)),
            ("heatmap", heatmap, (True, False)),
            ("segment", segment, (True, False)),
            ("keypoints", keypoints, (True, False)),
            ("guides", guides, (*SOURCES, "pose")),
            ("flip_swap", flip_swap, (True, False)),
            ("heatmap_frame", heatmap_frame, ("image", "square")),
        ):
            if value not in allowed:
                words = " or ".join(str(each).lower() for each in allowed)
                raise ValueError(f"data.{key}={value!r}: use {words}")
        if heatmap_frame == "square" and guides in ("keypoints", "pose"):
            raise ValueError(
                "data.heatmap_frame=square is for published files and packs (data.guides=files or pack):"
                f" heatmaps of data.guides={guides} are in the image's frame"
            )
        if not isinstance(images_per_identity, int) or images_per_identity < 1:
            raise ValueError(
                f"data.images_per_identity={images_per_identity!r}: use a whole number of 1 or more"
            )
        if sampler != "random" and batch_size % images_per_identity:
            raise ValueError(
                f"data.batch_size={batch_size} is no multiple of"
                f" data.images_per_identity={images_per_identity}"
            )
        self.transforms = transforms
        self.num_identities = num_identities
        self.counts = counts
        self.attributes = attributes
        self.verify = verify
        self.combine_all = combine_all
        self.sampler = sampler
        self.images_per_identity = images_per_identity
        self.cache = cache
        self.on_bad_image = on_bad_image
        self.heatmap = heatmap
        self.segment = segment
        self.keypoints = keypoints
        self.guides = guides
        self.pose_checkpoint = pose_checkpoint
        self.finder: PoseFinder | None = None  # of guides="pose"; whoever builds networks sets it
        self.segment_confidence = segment_confidence
        self.flip_swap = flip_swap
        self.heatmap_frame = heatmap_frame
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
        sizes = {name: len(values) for name, values in benchmark.attributes.items()}
        if self.attributes is None:
            self.attributes = sizes
        elif wrong := {name: size for name, size in self.attributes.items() if sizes.get(name) != size}:
            raise ValueError(
                f"data.attributes={wrong}, {benchmark.name} has {sizes or 'none'}: set data.attributes=null"
                " to take what there is"
            )
        self.evaluation_records = [*benchmark.query, *benchmark.gallery]
        self.benchmark = benchmark

    @property
    def vocabulary(self) -> Mapping[str, Sequence[str]]:
        self.setup()
        assert self.benchmark is not None
        return self.benchmark.attributes

    def speak(self, vocabulary: Mapping[str, Sequence[str]]) -> None:
        """Number attributes as the network that is evaluated was taught to."""
        self.setup()
        assert self.benchmark is not None
        benchmark = with_vocabulary(self.benchmark, vocabulary)
        if benchmark is not self.benchmark:
            self.benchmark = benchmark
            self.evaluation_records = [*benchmark.query, *benchmark.gallery]
            self.__dict__.pop("evaluation_images", None)

    @property
    def channels(self) -> int:
        """Planes of every image of a batch."""
        return 3 + 36 * self.heatmap + 13 * self.segment

    def images(self, records: Sequence[Record], stage: str, *, queries: int = 0) -> ImageSet:
        """Records as the stage's transforms show them, with the keypoints and guides that are on."""
        records, guides = self.guided(records)
        return ImageSet(
            records,
            Pipeline(self.transforms[stage], size=self.image_size),
            queries=queries,
            cache=self.cache,
            keypoints=self.keypoints,
            guides=guides,
            flip_swap=self.flip_swap,
        )

    def guided(self, records: Sequence[Record]) -> tuple[Sequence[Record], Guides | None]:
        """The records, with keypoints if these are to be found, and the source of the guides that are on.

        Raises:
            ValueError: guides are to be found, and there is nothing to find them.
        """
        kinds = {"heatmap": self.heatmap, "segment": self.segment}
        if self.guides == "pose" and any((*kinds.values(), self.keypoints)):
            if self.finder is None:
                raise ValueError("data.guides=pose: this data module was built without a finder")
            device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
            return self.finder(records, **kinds, confidence=self.segment_confidence, device=device)
        if not any(kinds.values()):
            return records, None
        guides = SOURCES[self.guides](records, **kinds, confidence=self.segment_confidence)
        if self.heatmap and self.heatmap_frame == "square":
            guides = UnsquaredGuides(guides)
        return records, guides

    def train_sampler(self, **place: int) -> DistributedSampler[int]:
        if self.sampler == "random":
            return super().train_sampler(**place)
        return IdentitySampler(
            [record.identity for record in self.train_records],
            identities_per_batch=self.batch_size // self.images_per_identity,
            images_per_identity=self.images_per_identity,
            once=self.sampler == "identity_once",
            seed=self.seed,
            **place,
        )

    def train_images(self) -> ImageSet:
        return self.images(self.train_records, "train")

    @cached_property
    def evaluation_images(self) -> ImageSet:
        """Query, then gallery; kept, as a training and its final evaluation each ask for a loader."""
        assert self.benchmark is not None
        return self.images(self.evaluation_records, "evaluate", queries=len(self.benchmark.query))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """uint8 images and their guides to (B, C, H, W) float32, normalised."""
        prepared: Batch = self.prepare(batch)
        return prepared
