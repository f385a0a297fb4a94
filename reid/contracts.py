"""The shapes that cross floors: from loading to networks, from networks to losses and evaluation."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

from torch import Tensor


class Batch(TypedDict):
    """A plain dict at run time. B images of one height and width.

    On its way from a loader to the device ``image`` is (B, H, W, C) uint8; the data module's
    ``on_after_batch_transfer`` makes it what every network reads.
    """

    image: Tensor  # (B, C, H, W) float32, normalised; C = 3 + 36 if heatmaps + 13 if segments are on
    identity: Tensor  # (B,) int64; 0..I-1 in training, the benchmark's own otherwise
    camera: Tensor  # (B,) int64
    index: Tensor  # (B,) int64; row of the list being read: removes the copies that padding makes
    is_query: Tensor  # (B,) bool
    attributes: dict[str, Tensor]  # name -> (B,) int64; empty for person sets
    keypoints: NotRequired[Tensor]  # (B, 36, 3) float32; x / W, y / H and confidence, each less a half
    guides: NotRequired[Tensor]  # (B, G, 64, 64) uint8, of the whole image before transforms; in loaders only
    geometry: NotRequired[Tensor]  # (B, 2, 3) float32; takes [0, 1]^2 of `image` to [0, 1]^2 of `guides`


class PoseBatch(TypedDict):
    """A batch of pictures with keypoints; ``image`` as in `Batch`."""

    image: Tensor  # (B, 3, H, W) float32, normalised
    points: Tensor  # (B, 36, 3) float32; x, y in pixels of `image`, and visibility, 0 or 1
    geometry: Tensor  # (B, 2, 3) float32; takes pixels of `image` to those of the picture it was cut from
    index: Tensor  # (B,) int64; row of the list being read
    target: NotRequired[Tensor]  # (B, 36, H / 4, W / 4) float32; heat maps to be drawn, in training
    weight: NotRequired[Tensor]  # (B, 36) float32; 0 where a heat map is not known


@dataclass(frozen=True)
class Features:
    """What a network says about B images, in training and in evaluation alike."""

    embedding: Tensor  # (B, D) what retrieval compares
    pooled: Tensor  # (B, D') what metric losses see
    logits: Tensor | None = None  # (B, I) identity scores
    stripes: Tensor | None = None  # (B, d, S) local features
    attributes: dict[str, Tensor] = field(default_factory=dict)  # name -> (B, A) scores

    @classmethod
    def of(cls, embedding: Tensor) -> "Features":
        """Of images of which no more is known than their embedding (B, D)."""
        return cls(embedding=embedding, pooled=embedding)


@dataclass(frozen=True)
class Labels:
    """Who is on each of N images, and which camera took it: all that ranking needs to know."""

    identity: Tensor  # (N,) int64; -1 is junk, 0 a distractor where the benchmark has them
    camera: Tensor  # (N,) int64; -1 is unknown, and equals no other camera

    def __len__(self) -> int:
        return len(self.identity)


Loss = Callable[[Features, Batch], Tensor]  # scalar
Distance = Callable[[Features, Features], Tensor]  # (Nq, Ng), smaller is closer
