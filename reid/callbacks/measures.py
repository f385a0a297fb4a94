"""How query and gallery are ranked and what is counted then: an evaluation's options, without a trainer."""

import re
from dataclasses import dataclass
from typing import Literal

import torch

from reid.callbacks.columns import Columns, features_of, labels_of
from reid.contracts import Distance, Labels
from reid.datasets.records import Benchmark
from reid.evaluation import (
    JUNK,
    EuclideanDistance,
    Further,
    Ranking,
    Threshold,
    Tracks,
    is_of_embeddings,
    rank,
    retrieval_metrics,
    threshold_at,
)
from reid.evaluation.further import block_within
from reid.evaluation.verification import Verification

PROTOCOLS = ("image_to_image", "image_to_track")
KEPT = 10  # nearest gallery images of each query, for the pictures


@dataclass(frozen=True)
class Measures:
    """The options of `RetrievalMetrics`; ``memory`` in bytes.

    Raises:
        ValueError: an unknown protocol, or ``further`` figures of tracks.
    """

    ranks: tuple[int, ...]
    same_camera: Literal["exclude", "keep"]
    average_precision: Literal["rectangle", "trapezoid"]
    memory: int | None
    protocol: Literal["image_to_image", "image_to_track"]
    further: Further

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"evaluation.protocol={self.protocol!r}: use {' or '.join(PROTOCOLS)}")
        if self.protocol == "image_to_track" and (asked := self.further.asked):
            raise ValueError(
                f"evaluation.protocol=image_to_track ranks tracks, and evaluation.{asked[0]} is of images:"
                f" take {', '.join(asked)} out, or use evaluation.protocol=image_to_image"
            )

    def try_out(self) -> None:
        """Ask for all figures of three points: a bad option shall not come out after the training."""
        point = {"embedding": torch.arange(3.0)[:, None], "camera": torch.arange(3)}
        point["identity"] = torch.tensor([1, 1, 2])
        query, gallery = (
            {name: value[part] for name, value in point.items()} for part in (slice(1), slice(1, 3))
        )
        self.more(query, gallery, EuclideanDistance())

    def tracks(self, benchmark: Benchmark) -> Tracks | None:
        """The tracks of the gallery, if they are what is ranked.

        Raises:
            ValueError: they are, and the gallery does not consist of them.
        """
        if self.protocol == "image_to_image":
            return None
        gallery = benchmark.gallery
        labels = Labels(*(torch.tensor([getattr(r, key) for r in gallery]) for key in ("identity", "camera")))
        return Tracks.of([r.track for r in gallery], labels, names=[r.path.name for r in gallery])

    def rank(self, query: Columns, gallery: Columns, distance: Distance, tracks: Tracks | None) -> Ranking:
        """The gallery for each query."""
        return rank(
            features_of(query),
            labels_of(query),
            features_of(gallery),
            labels_of(gallery),
            distance=distance,
            top=KEPT,
            same_camera=self.same_camera,
            tracks=tracks,
            memory=self.memory,
        )

    def figures(self, ranking: Ranking) -> dict[str, float]:
        """CMC, mAP, mINP and counts."""
        return retrieval_metrics(ranking, ranks=self.ranks, rule=self.average_precision)

    def more(
        self, query: Columns, gallery: Columns, distance: Distance
    ) -> tuple[dict[str, float], Verification | None]:
        """The figures of ``further``."""
        return self.further(
            features_of(query),
            labels_of(query),
            features_of(gallery),
            labels_of(gallery),
            distance=distance,
            ranks=self.ranks,
            rule=self.average_precision,
            same_camera=self.same_camera,
            memory=self.memory,
        )

    def threshold(
        self, query: Columns, gallery: Columns, distance: Distance, *, fpr: float
    ) -> Threshold | None:
        """The distance at a false positive rate.

        None of local distances, whose pairs take long; and where all images are of one identity.
        """
        labelled = features_of(query), labels_of(query), features_of(gallery), labels_of(gallery)
        labels = torch.cat([query["identity"], gallery["identity"]])
        alone = len(set(labels[labels != JUNK].tolist())) < 2
        if alone or not is_of_embeddings(distance):
            return None
        block = block_within(self.memory, images=len(gallery["index"]), queries=len(query["index"]))
        return threshold_at(*labelled, distance=distance, fpr=fpr, same_camera=self.same_camera, block=block)


def in_bytes(amount: int | str | None) -> int | None:
    """The number that "2GB" or "500 MB" stands for.

    Raises:
        ValueError: it stands for none.
    """
    if amount is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMG]?)B?", str(amount), re.IGNORECASE)
    if not match:
        raise ValueError(
            f"evaluation.memory={amount!r}: use a number of bytes, or one with kB, MB or GB, as 2GB"
        )
    return int(float(match[1]) * 1000 ** " kmg".index(match[2].lower() or " "))
