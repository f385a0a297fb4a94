"""Guides into one HDF5 file a set, by runs that may be stopped at any time."""

import errno
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
from tqdm import tqdm

from reid.loading.guides.packs import VERSION
from reid.loading.guides.source import (
    KINDS,
    SIDE,
    Planes,
    check_planes,
    count_channels,
    in_batches,
    kinds_of,
)

log = logging.getLogger(__name__)

COMPRESSIONS = (None, "lzf", "gzip")
KEEP = 512  # pictures after which a draft is safe on the disk
FULL = (errno.ENOSPC, errno.EDQUOT)

Compression = Literal["lzf", "gzip"] | None


def write_pack(
    path: Path,
    names: Sequence[str],
    *,
    planes: Planes,
    heatmap: bool,
    segment: bool,
    source: str,
    compression: Compression = None,
) -> None:
    """Write a pack as `PackedGuides` reads it.

    It grows in a draft beside ``path``, ``.<name>.partial``, and takes its place when it is whole. A run that
    is stopped goes on with the pictures that the draft lacks, if it is called with the same names, kinds,
    source and compression; any other draft is started anew.

    Args:
        path: to write; a pack that is there stays until the new one is whole.
        names: of the images' files.
        planes: of rows of the names: heat maps, if on, then segments, if on; with segments ungated.
        heatmap: pack the 36 heat maps.
        segment: pack the 13 segments.
        source: where planes come from, such as "files" or "keypoints".
        compression: None is read fastest; "lzf" and "gzip" need a tenth of the disk.

    Raises:
        ValueError: an unknown compression, a name that comes twice, or planes of another shape.
        OSError: the disk is full: says how much is needed. Or another process writes the same pack.
    """
    channels = count_channels(heatmap=heatmap, segment=segment)
    kinds = kinds_of(heatmap=heatmap, segment=segment)
    if compression not in COMPRESSIONS:
        raise ValueError(f"compression={compression!r}: use null, lzf or gzip")
    if len(set(names)) < len(names):
        raise ValueError(
            f"{path} would have {len(names) - len(set(names)):,} names twice: give each image once"
        )
    draft = path.with_name(f".{path.name}.partial")
    file = open_draft(draft, names, kinds=kinds, source=source, compression=compression)
    with room_for(draft, len(names) * channels * SIDE**2, compression=compression), file:
        done = int(file.attrs["finished"])
        bar = tqdm(total=len(names), initial=done, desc=f"packing {path.name}", disable=None, leave=False)
        try:
            with bar:
                for rows in in_batches(range(done, len(names))):
                    batch = planes(rows)
                    check_planes(batch, (len(rows), channels))
                    first = 0
                    for kind in kinds:
                        file[kind][done : done + len(rows)] = batch[:, first : first + KINDS[kind]]
                        first += KINDS[kind]
                    done += len(rows)
                    bar.update(len(rows))
                    if done % KEEP < len(rows):
                        keep(file, done)
        except BaseException:
            with suppress(OSError, RuntimeError):  # a full disk, which is what is raised already
                keep(file, done)
            raise
        keep(file, done)
    os.replace(draft, path)


def keep(file: h5py.File, done: int) -> None:
    """Make what is done safe: pictures reach the disk before the number that says so."""
    file.flush()
    file.attrs["finished"] = done
    file.flush()


def open_draft(
    draft: Path, names: Sequence[str], *, kinds: Sequence[str], source: str, compression: Compression
) -> h5py.File:
    """A draft to go on with, or a new one; its attribute ``finished`` counts the pictures that it has."""
    header = {"version": VERSION, "source": source, "compression": compression or "none"}
    if draft.exists():
        file: h5py.File | None = None
        try:
            file = h5py.File(draft, "r+", rdcc_nbytes=0)
            hold_back(file)
            check_draft(file, names, kinds=kinds, header=header)
            log.info("%s goes on at picture %d of %d", draft, file.attrs["finished"], len(names))
            return file
        except (OSError, KeyError, ValueError, RuntimeError) as fault:
            if isinstance(fault, BlockingIOError):
                raise OSError(
                    errno.EAGAIN, "another process writes this pack: wait for it, or end it", str(draft)
                ) from fault
            log.warning("%s is started anew: %s", draft, fault)
            if file is not None:
                with suppress(OSError, RuntimeError):
                    file.close()
            draft.unlink()
    file = h5py.File(draft, "w", rdcc_nbytes=0)  # no cache: what is written is written, or fails at once
    hold_back(file)
    file.attrs.update({**header, "finished": 0})
    file.create_dataset("name", data=list(names), shape=(len(names),), dtype=h5py.string_dtype())
    for kind in kinds:
        shape = (KINDS[kind], SIDE, SIDE)
        file.create_dataset(
            kind, (len(names), *shape), np.uint8, chunks=(1, *shape), compression=compression, fillvalue=None
        )
    return file


def hold_back(file: h5py.File) -> None:
    """Let the file's structure reach the disk by ``keep`` alone: a process killed later leaves it whole."""
    config = file.id.get_mdc_config()
    config.evictions_enabled = False
    config.incr_mode = config.flash_incr_mode = config.decr_mode = 0  # which HDF5 wants with that
    file.id.set_mdc_config(config)


def check_draft(
    file: h5py.File, names: Sequence[str], *, kinds: Sequence[str], header: dict[str, object]
) -> None:
    """Raise ``ValueError`` for what is the draft of another pack, ``KeyError`` or so for what is damaged."""
    for key, value in header.items():
        if file.attrs[key] != value:
            raise ValueError(f"its {key} is {file.attrs[key]}, not {value}")
    if [kind for kind in KINDS if kind in file] != list(kinds):
        raise ValueError("it has other planes")
    if file["name"].asstr()[()].tolist() != list(names):
        raise ValueError("it is of other images")
    finished = int(file.attrs["finished"])
    for kind in kinds:
        rows: set[int] = set()
        file[kind].id.chunk_iter(lambda chunk, rows=rows: rows.add(chunk.chunk_offset[0]))
        if not rows.issuperset(range(finished)):
            raise ValueError(f"it is damaged: it has not all of {finished} pictures")


@contextmanager
def room_for(draft: Path, size: int, *, compression: Compression) -> Iterator[None]:
    """Raise ``OSError`` that says what is needed, before a disk fills, as far as is known, or after.

    ``size`` is that of a whole pack without compression, in bytes.
    """

    def describe(need: int) -> OSError:
        free = shutil.disk_usage(draft.parent).free
        smaller = "" if compression else ", or write it with compression=lzf, which needs about a tenth"
        return OSError(
            errno.ENOSPC,
            f"the pack needs {need / 1e6:,.0f} MB more, {free / 1e6:,.0f} MB are free: make room and start"
            f" again, which goes on with what is written{smaller}",
            str(draft),
        )

    rest = size - draft.stat().st_size
    if not compression and rest > shutil.disk_usage(draft.parent).free:
        raise describe(rest)
    try:
        yield
    except (OSError, RuntimeError) as error:
        if getattr(error, "errno", None) in FULL or "No space left" in str(error):
            raise describe(max(size - draft.stat().st_size, 0)) from error
        raise
