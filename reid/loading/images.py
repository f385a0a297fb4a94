"""Records -> batches of uint8 images: decoding, a cache of decoded images, what to do about bad ones."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info
from tqdm import tqdm

from reid.contracts import Batch
from reid.datasets.keypoints import MIRRORED_KEYPOINTS
from reid.datasets.records import Record
from reid.loading.guides.source import Guides, Planes, mirrored_channels, stack_keypoints
from reid.loading.sampler import Draw
from reid.loading.transforms import Pipeline, Pixels

log = logging.getLogger(__name__)
Result = TypeVar("Result")

ENDINGS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}  # how JPEG and PNG files begin and end
TAIL = 1024  # bytes in which the ending must be: some writers append padding
PAGE = 1024  # cached images a tensor


def read_image(record: Record) -> Pixels:
    """A record's image as it lies on the disk: (h, w, 3) uint8, RGB.

    Raises ``ValueError`` with the file's name if it cannot be decoded whole.
    """
    try:
        return decode(read_bytes(record.path))
    except ValueError as fault:
        raise ValueError(
            f"{record.path} {fault}: copy it again, or leave such images out with data.on_bad_image=skip"
        ) from None


def read_bytes(path: Path) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()


def decode(data: bytes) -> Pixels:
    """The bytes of an image file -> (h, w, 3) uint8, RGB.

    Raises ``ValueError`` saying what is wrong. A JPEG that breaks off is refused here: OpenCV would paint the
    missing rest gray without a word.
    """
    if not data:
        raise ValueError("is empty")
    if ENDINGS.get(data[:2], b"") not in data[-TAIL:]:
        raise ValueError(f"breaks off after {len(data):,} bytes")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError("is no image that OpenCV can decode")
    return image  # type: ignore[return-value]


class ImageSet(Dataset[Batch]):
    """A list of records as a torch data set: asked for a whole batch (``Draw``), it returns it collated.

    ``image`` is (B, H, W, C) uint8: converting and normalising a batch is the device's work.
    A loader needs a batch sampler that yields ``Draw`` and a ``collate_fn`` that returns what it is given.

    Args:
        records: what to read; training identities relabelled by ``relabel``.
        pipeline: to the size of a batch's images.
        queries: how many records at the head of the list are queries.
        cache: "none" reads files each time; "ram" decodes all of them now and keeps them as they are.
        read: the image of a record, (h, w, C) uint8.
        keypoints: give those of the records too.
        guides: planes of these records, to be laid over the images by `on_device`.
        flip_swap: a mirrored image's left keypoints and guides are those of its right side.

    Raises:
        MemoryError: the cache would not fit; says how much it needs.
        ValueError: a bad image, records that differ in the names of their attributes, or without keypoints.
    """

    def __init__(
        self,
        records: Sequence[Record],
        pipeline: Pipeline,
        *,
        queries: int = 0,
        cache: Literal["none", "ram"] = "none",
        read: Callable[[Record], Pixels] = read_image,
        keypoints: bool = False,
        guides: Guides | None = None,
        flip_swap: bool = True,
    ) -> None:
        self.records = records
        self.pipeline = pipeline
        self.read = read
        self.identity = torch.tensor([record.identity for record in records])
        self.camera = torch.tensor([record.camera for record in records])
        self.is_query = torch.arange(len(records)) < queries
        names = sorted({name for record in records for name in record.attributes})
        for record in records:
            if missing := [name for name in names if name not in record.attributes]:
                raise ValueError(
                    f"{record.path} has no {missing[0]}, other images of the list have: complete the labels"
                )
        self.attributes = {
            name: torch.tensor([record.attributes[name] for record in records]) for name in names
        }
        if cache not in ("none", "ram"):
            raise ValueError(f"cache={cache!r}: use none or ram")
        self.keypoints = stack_keypoints(records, remedy="or set data.keypoints=false") if keypoints else None
        self.guides = guides
        self.flip_swap = flip_swap
        self.cache = ImageCache(records, read) if cache == "ram" else None

    def __len__(self) -> int:
        return len(self.records)

    def image(self, row: int) -> Pixels:
        """The image of a row before any transform, (h, w, C)."""
        return self.cache[row] if self.cache else self.read(self.records[row])

    def __getitems__(self, draw: Draw) -> Batch:
        if get_worker_info() is not None:
            cv2.setNumThreads(0)  # its thread pool does not survive a fork; a process a core is enough
        images = map(self.image, draw.rows)
        seen: dict[str, Any] = (
            {"image": torch.from_numpy(self.pipeline(images, len(draw.rows), seed=draw.seed))}
            if self.keypoints is None and self.guides is None
            else self._with_places(images, draw)
        )
        batch: Batch = {**seen, **self.labels(draw.rows)}  # type: ignore[typeddict-item]
        return batch

    def labels(self, chosen: Sequence[int]) -> dict[str, Any]:
        """What is known of these rows without opening their images."""
        rows = torch.tensor(chosen)
        return {
            "identity": self.identity[rows],
            "camera": self.camera[rows],
            "index": rows,
            "is_query": self.is_query[rows],
            "attributes": {name: values[rows] for name, values in self.attributes.items()},
        }

    def _with_places(self, images: Iterable[Pixels], draw: Draw) -> dict[str, Tensor]:
        """Images, and the keypoints and guides that moved with them."""
        points = np.zeros((len(draw.rows), 0, 3), np.float32)
        if self.keypoints is not None:
            points = self.keypoints[draw.rows]
        moved = self.pipeline.move(images, points[..., :2], seed=draw.seed)
        swapped = (np.linalg.det(moved.geometry[:, :, :2]) < 0) & self.flip_swap
        seen = {"image": torch.from_numpy(moved.images)}
        if self.keypoints is not None:
            size = np.array(self.pipeline.size[::-1], np.float32)
            places = np.concatenate([moved.points / size, points[..., 2:]], 2) - np.float32(0.5)
            places[swapped] = places[swapped][:, MIRRORED_KEYPOINTS]
            seen["keypoints"] = torch.from_numpy(places)
        if self.guides is not None:
            planes = self.guides(draw.rows, moved.sizes)
            swap_channels(planes, swapped, order=mirrored_channels(self.guides))
            seen["guides"] = torch.from_numpy(planes)
            seen["geometry"] = torch.from_numpy(moved.geometry)
        return seen


def swap_channels(planes: Pixels, which: NDArray[np.bool_], *, order: NDArray[np.intp]) -> None:
    """Reorder, in place, the channels of those of (n, C, h, w) that ``which`` (n,) names."""
    spare = np.empty_like(planes[0])  # one for all stays in the processor's cache
    for row in np.flatnonzero(which):
        planes[row] = np.take(planes[row], order, axis=0, out=spare, mode="clip")


def planes_of(records: Sequence[Record], guides: Guides) -> Planes:
    """Guides by rows alone, for writing them down: images are opened for their sizes."""

    def planes(rows: Sequence[int]) -> Pixels:
        return guides(rows, np.array([read_image(records[row]).shape[1::-1] for row in rows]))

    return planes


class ImageCache:
    """Decoded images, one behind the other in a few large tensors.

    Forked workers see the same memory; for spawned ones torch moves tensors, unlike arrays, to shared memory.
    """

    def __init__(self, records: Sequence[Record], read: Callable[[Record], Pixels]) -> None:
        check_memory(records, read)
        self.pages: list[Tensor] = []
        self.places: list[tuple[int, tuple[int, ...]]] = []  # offset in its page, shape
        images = over_threads(read, records, "decoding images into memory")
        while page := list(islice(images, PAGE)):
            offsets = np.cumsum([0, *(image.size for image in page)]).tolist()
            self.places.extend((offset, image.shape) for offset, image in zip(offsets, page, strict=False))
            self.pages.append(torch.from_numpy(np.concatenate([image.reshape(-1) for image in page])))

    def __getitem__(self, row: int) -> Pixels:
        offset, (height, width, channels) = self.places[row]  # type: ignore[misc]
        flat: Pixels = self.pages[row // PAGE].numpy()[offset : offset + height * width * channels]
        image = flat.reshape(height, width, channels)
        image.flags.writeable = False  # a transform that works in place would change it for good
        return image


def check_memory(records: Sequence[Record], read: Callable[[Record], Pixels]) -> None:
    """Refuse a cache beyond the free memory (Linux tells), judged by a few images across the list."""
    meminfo = Path("/proc/meminfo")
    if not records or not meminfo.exists():
        return
    some = records[:: max(1, len(records) // 16)]
    need = sum(read(record).nbytes for record in some) / len(some) * len(records)
    free = next(int(line.split()[1]) * 1024 for line in meminfo.open() if line.startswith("MemAvailable"))
    if need > free:
        raise MemoryError(
            f"{len(records):,} decoded images need {need / 1e9:.1f} GB in each process,"
            f" {free / 1e9:.1f} GB are free: set data.cache=none"
        )


def over_threads(work: Callable[[Record], Result], records: Sequence[Record], title: str) -> Iterator[Result]:
    """``work`` on each record, in order, under a progress bar; OpenCV decodes outside the global lock."""
    bar = tqdm(total=len(records), desc=title, disable=None, leave=False)
    with bar, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(records), PAGE):
            for result in pool.map(work, records[start : start + PAGE]):
                bar.update()
                yield result


def usable(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """The records whose images can be decoded, and what is wrong with each other one; reads every file.

    Done before training rather than in a batch: a batch without one of its images would no longer be P x K,
    and a gallery would change under the evaluation. Says in a warning what was left out.

    Raises ``ValueError`` if no image is left.
    """
    faults = list(over_threads(find_fault, records, "checking images"))
    good = [record for record, fault in zip(records, faults, strict=True) if fault is None]
    bad = [fault for fault in faults if fault is not None]
    if bad and not good:
        raise ValueError(f"none of {len(records):,} images can be read, the first because: {bad[0]}")
    if bad:
        rest = [f"... and {len(bad) - 10:,} more"] if len(bad) > 10 else []
        log.warning(
            "%d of %d images are left out:\n  %s", len(bad), len(records), "\n  ".join([*bad[:10], *rest])
        )
    return good, bad


def find_fault(record: Record) -> str | None:
    try:
        decode(read_bytes(record.path))
    except ValueError as fault:
        return f"{record.path} {fault}"
    except OSError as error:
        return str(error)
    return None


def relabel(records: Iterable[Record]) -> tuple[list[Record], dict[int, int]]:
    """Records with labels 0..I-1 in place of their sorted identities, and {identity: label}."""
    records = list(records)
    labels = {
        identity: label for label, identity in enumerate(sorted({record.identity for record in records}))
    }
    return [replace(record, identity=labels[record.identity]) for record in records], labels
