"""What every benchmark is made of: a record an image, and three lists of records."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PARTS = ("train", "query", "gallery")  # a benchmark's lists


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a benchmark."""

    path: Path
    identity: int  # the benchmark's own number; -1 junk, 0 distractor where the benchmark has them
    camera: int  # 0-based; -1 unknown, which equals no other camera
    attributes: Mapping[str, int] = field(default_factory=dict)
    keypoints: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    # (36, 3) x, y in pixels of the image, which they may leave, and confidence, at times above 1
    track: int | None = None  # of a gallery image: the pass before a camera that it belongs to


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A training list and the two sides of the retrieval test; identities are the benchmark's own."""

    name: str
    train: Sequence[Record]
    query: Sequence[Record]
    gallery: Sequence[Record]
    _: KW_ONLY
    distractor: int | None = None  # the gallery's number for boxes that show no identity
    one_numbering: bool = True  # equal numbers in training and in the test are one identity
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what numbers stand for


@dataclass(frozen=True, slots=True)
class Counts:
    """How large one list of a benchmark is."""

    images: int
    identities: int
    cameras: int

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Counts":
        return cls(len(records), len({r.identity for r in records}), len({r.camera for r in records}))
