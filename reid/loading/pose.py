"""Annotated pictures -> batches of squares around them, turned and scaled, and where keypoints went."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, get_worker_info

from reid.contracts import PoseBatch
from reid.datasets.keypoints import MIRRORED_KEYPOINTS
from reid.datasets.records import Record
from reid.loading.guides.source import stack_keypoints
from reid.loading.images import ImageCache, read_image
from reid.loading.sampler import Draw
from reid.loading.transforms import Pixels

PADDING = 1.25  # side of the square that is cut out, over the picture's longer side


class Change(NamedTuple):
    """How one picture is shown."""

    scale: float = 1.0  # of the square that is cut out: above 1 shows the picture smaller
    rotation: float = 0.0  # degrees
    mirror: bool = False


@dataclass(frozen=True)
class Augmentation:
    """What is drawn for each picture; the defaults are PAMTRI's.

    Args:
        scale: standard deviation of the square's side, which stays within 1 - scale and 1 + scale.
        rotation: standard deviation in degrees; angles stay within twice that.
        rotation_probability: of turning at all.
        flip: probability of mirroring.

    Raises:
        ValueError: a number out of its range.
    """

    scale: float = 0.25
    rotation: float = 30.0
    rotation_probability: float = 0.6
    flip: float = 0.5

    def __post_init__(self) -> None:
        for name, high in (("scale", 0.9), ("rotation", 180.0), ("rotation_probability", 1.0), ("flip", 1.0)):
            value = getattr(self, name)
            if not 0 <= value <= high:
                raise ValueError(f"data.augmentation.{name}={value!r}: use a number from 0 to {high:g}")

    def draw(self, random: np.random.Generator) -> Change:
        size, angle = random.normal(size=2)
        turns, mirrors = random.random(2)
        return Change(
            1 + float(np.clip(size * self.scale, -self.scale, self.scale)),
            float(np.clip(angle, -2, 2)) * self.rotation if turns < self.rotation_probability else 0.0,
            bool(mirrors < self.flip),
        )


class PoseSet(Dataset[PoseBatch]):
    """Records with keypoints as a torch data set: asked for a whole batch (``Draw``), it returns it collated.

    Args:
        records: with keypoints, whose third number is visibility.
        size: (height, width) in pixels of a batch's images.
        augmentation: drawn from a batch's seed; None shows pictures as they are.
        cache: "none" reads files each time; "ram" decodes all of them now and keeps them as they are.
        read: the image of a record, (h, w, 3) uint8.
    """

    def __init__(
        self,
        records: Sequence[Record],
        size: tuple[int, int],
        *,
        augmentation: Augmentation | None = None,
        cache: Literal["none", "ram"] = "none",
        read: Callable[[Record], Pixels] = read_image,
    ) -> None:
        self.records = records
        self.size = size
        self.augmentation = augmentation
        self.read = read
        self.keypoints = stack_keypoints(records, remedy="or leave it out of the list")
        self.cache = ImageCache(records, read) if cache == "ram" else None

    def __len__(self) -> int:
        return len(self.records)

    def image(self, row: int) -> Pixels:
        """The picture of a row before any transform, (h, w, 3)."""
        return self.cache[row] if self.cache else self.read(self.records[row])

    def __getitems__(self, draw: Draw) -> PoseBatch:
        if get_worker_info() is not None:
            cv2.setNumThreads(0)  # its thread pool does not survive a fork; a process a core is enough
        random = np.random.default_rng(draw.seed)
        images = np.empty((len(draw.rows), *self.size, 3), np.uint8)
        points = self.keypoints[draw.rows]
        back = np.empty((len(draw.rows), 2, 3), np.float32)
        for place, row in enumerate(draw.rows):
            image = self.image(row)
            change = self.augmentation.draw(random) if self.augmentation else Change()
            there = crop_matrix((image.shape[1], image.shape[0]), change, size=self.size)
            images[place] = cv2.warpAffine(image, there, self.size[::-1], flags=cv2.INTER_LINEAR)
            back[place] = cv2.invertAffineTransform(there)
            points[place, :, :2] = points[place, :, :2] @ there[:, :2].T + there[:, 2]
            if change.mirror:
                points[place] = points[place][list(MIRRORED_KEYPOINTS)]
        return {
            "image": torch.from_numpy(images),
            "points": torch.from_numpy(points),
            "geometry": torch.from_numpy(back),
            "index": torch.tensor(draw.rows),
        }


def crop_matrix(
    picture: tuple[int, int], change: Change, *, size: tuple[int, int], padding: float = PADDING
) -> NDArray[np.float64]:
    """(2, 3): from pixels of a picture, by their numbers, to those of what is cut out around it.

    The middle w / 2, h / 2 comes to lie on W / 2, H / 2 (PAMTRI's recipe). Mirroring turns x to w - x:
    PAMTRI's two steps, w - 1 - x and a middle moved by one, come to the same.

    Args:
        picture: (width, height) in pixels.
        change: scale, rotation and mirroring.
        size: (height, width) of the result; where it is no square, the cut is as wide as it needs to be.
        padding: side over the picture's longer side.
    """
    w, h = picture
    height, width = size
    cut = padding * max(w, h * width / height) * change.scale  # pixels of the picture across
    zoom = width / cut
    angle = np.deg2rad(change.rotation)
    cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
    linear = np.array([(cos, -sin), (sin, cos)])
    if change.mirror:
        linear[:, 0] *= -1
    shift = np.array((width / 2, height / 2)) - linear @ np.array((w / 2, h / 2))
    return np.column_stack([linear, shift])
