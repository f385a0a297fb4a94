"""Guides from one HDF5 file a set, where the published way opens 49 little files a picture."""

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import ArrayLike

from reid.datasets.records import Record
from reid.loading.guides.source import (
    KINDS,
    SIDE,
    count_channels,
    hide,
    kinds_of,
    place_of,
    seen_segments,
)
from reid.loading.transforms import Pixels

VERSION = 1  # of the packs that are written, and can be read


class PackedGuides:
    """``<folder>/guides_<set>.h5``, one for each set that the records come from.

    A pack has ``heatmap`` (N, 36, 64, 64) uint8 and ``segment`` (N, 13, 64, 64) uint8, or one of the two, a
    chunk a picture; ``name`` (N,), the names of the images' files; and the attributes ``version`` and
    ``source``. Its segments are not gated: that is done here.

    Each process opens a pack for itself, when it first reads: a source may be forked and pickled.

    Args:
        records: of images in ``<folder>/image_<set>/``; with keypoints if segments are gated.
        heatmap: read the 36 heat maps.
        segment: read the 13 segments.
        confidence: of all four keypoints of a segment that is seen; 0 shows all.

    Raises:
        FileNotFoundError: there is no pack.
        ValueError: it is none, or of another version, lacks images or planes that are asked for, or breaks
            off; or nothing to read, or records without keypoints.
    """

    def __init__(
        self, records: Sequence[Record], *, heatmap: bool, segment: bool, confidence: float = 0.5
    ) -> None:
        self.channels = count_channels(heatmap=heatmap, segment=segment)
        self.kinds = kinds_of(heatmap=heatmap, segment=segment)
        self.names = [record.path.name for record in records]
        paths = [place_of(record).pack for record in records]
        self.paths = sorted(set(paths))
        number = {path: place for place, path in enumerate(self.paths)}
        self.pack = np.array([number[path] for path in paths], np.intp)  # (N,) of its pack
        self.row = np.zeros(len(records), np.intp)  # (N,) within its pack
        for place, path in enumerate(self.paths):
            own = np.flatnonzero(self.pack == place)
            self.row[own] = find_rows(path, [self.names[row] for row in own], kinds=self.kinds)
        if segment:
            self.seen = seen_segments(records, confidence=confidence)
        self.opened: list[Pack] = []
        self.process = os.getpid()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "opened": [], "process": None}

    def __call__(self, rows: Sequence[int], sizes: ArrayLike) -> Pixels:
        """Rows -> (n, channels, 64, 64); the sizes of the images do not matter."""
        chosen = np.asarray(rows, np.intp)
        planes = np.empty((len(chosen), self.channels, SIDE, SIDE), np.uint8)
        packs = self._packs()
        places = zip(planes, self.pack[chosen].tolist(), self.row[chosen].tolist(), strict=True)
        for number, (picture, pack, row) in enumerate(places):
            first = 0
            for kind in self.kinds:
                try:
                    packs[pack].read(kind, row, planes=picture[first : first + KINDS[kind]])
                except OSError as fault:
                    raise ValueError(
                        f"{self.paths[pack]} cannot be read at {self.names[chosen[number]]} ({fault}): copy"
                        " it again, or write it anew with task=pack"
                    ) from fault
                first += KINDS[kind]
        if "segment" in self.kinds:
            hide(planes[:, -KINDS["segment"] :], self.seen[chosen])
        return planes

    def _packs(self) -> list["Pack"]:
        """Those of this process: what a parent has opened must not be used after a fork."""
        if self.process != os.getpid() or not self.opened:
            self.opened = [Pack(path, kinds=self.kinds) for path in self.paths]
            self.process = os.getpid()
        return self.opened


class Pack:
    """A pack that is open: planes without compression are read past HDF5, which takes longer than reading."""

    def __init__(self, path: Path, *, kinds: Sequence[str]) -> None:
        self.file = h5py.File(path, "r", rdcc_nbytes=0)  # a picture is read once an epoch: nothing to keep
        self.datasets = {kind: self.file[kind] for kind in kinds}
        self.offsets = {kind: offsets_of(dataset) for kind, dataset in self.datasets.items()}
        self.raw = open(path, "rb", buffering=0)  # noqa: SIM115, for as long as the pack

    def read(self, kind: str, row: int, *, planes: Pixels) -> None:
        """Into (k, 64, 64). Raises ``OSError``."""
        offsets = self.offsets[kind]
        if offsets is None:
            self.datasets[kind].read_direct(planes, np.s_[row])
        elif os.preadv(self.raw.fileno(), [planes.data], offsets[row]) != planes.nbytes:
            raise OSError("it breaks off")


def offsets_of(dataset: h5py.Dataset) -> list[int] | None:
    """Where the planes of each picture begin in the file; None if they do not lie there as they are."""
    pictures, *shape = dataset.shape
    if (
        dataset.chunks != (1, *shape)
        or dataset.dtype != np.uint8
        or dataset.id.get_create_plist().get_nfilters()
    ):
        return None
    offsets: dict[int, int] = {}
    dataset.id.chunk_iter(lambda chunk: offsets.__setitem__(chunk.chunk_offset[0], chunk.byte_offset))
    return [offsets[row] for row in range(pictures)] if len(offsets) == pictures else None


def find_rows(path: Path, names: Sequence[str], *, kinds: Sequence[str]) -> list[int]:
    """Where in a pack the images are. Raises what `PackedGuides` raises."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: write it with task=pack, or set data.guides=keypoints")
    try:
        with h5py.File(path, "r") as file:
            version = file.attrs["version"]
            if version != VERSION:
                raise ValueError(
                    f"{path} is a pack of version {version}, this program reads {VERSION}: write it anew with"
                    " task=pack"
                )
            place = {name: row for row, name in enumerate(file["name"].asstr()[()])}
            shapes = {kind: file[kind].shape for kind in KINDS if kind in file}
    except (OSError, KeyError) as error:
        raise ValueError(
            f"{path} is no pack of guides, or not all of it ({error}): copy it again, or write it anew with"
            " task=pack"
        ) from error
    for kind in kinds:
        if shapes.get(kind) != (len(place), KINDS[kind], SIDE, SIDE):
            raise ValueError(
                f"{path} has no {kind} planes for all of its images, but {' and '.join(shapes) or 'nothing'}:"
                f" pack them too with task=pack, or set data.{kind}=false"
            )
    missing = [name for name in names if name not in place]
    if missing:
        raise ValueError(
            f"{len(missing):,} of {len(names):,} images are not in {path}, the first is {missing[0]}: write"
            " it anew with task=pack"
        )
    return [place[name] for name in names]
