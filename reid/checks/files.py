"""The files behind a benchmark: each is read once, for what is wrong with it and for what it is a copy of."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import cv2

from reid.checks.finding import Finding, part_of, some
from reid.datasets.records import PARTS, Benchmark, Record
from reid.loading.images import ENDINGS, decode, over_threads, read_bytes

SMALLEST = 16  # pixels of a side: enlarged eight times to a width of 128, it shows no more than colours
OTHERS = {  # how what else is named .jpg begins
    b"version https://git-lfs": "a Git LFS pointer",
    b"<": "a web page or other markup",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
    b"\x00\x05\x16\x07": "a macOS resource fork",
}
FAULTS = {  # code -> what such files are, and the remedy
    "missing-files": ("are not there", "Copy them again"),
    "unreadable-files": ("cannot be read", "Allow this user to read them"),
    "empty-files": ("are empty", "Copy them again"),
    "not-images": ("are no images", "Copy the images that belong there"),
    "broken-images": ("are broken", "Copy them again"),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What one reading of a file told."""

    fault: str = ""  # a code of `FAULTS`; "" for an image
    said: str = ""  # what is wrong
    content: bytes = b""  # equal for equal files
    side: int = 0  # the shorter one, pixels


def look(record: Record) -> Look:
    """Read and decode a record's file."""
    try:
        data = read_bytes(record.path)
    except FileNotFoundError:
        return Look("missing-files", "does not exist")
    except OSError as error:
        return Look("unreadable-files", error.strerror or str(error))
    if not data:
        return Look("empty-files", "has zero bytes")
    try:
        image = decode(data)
    except (ValueError, cv2.error) as fault:
        if data[:2] in ENDINGS:
            return Look("broken-images", " ".join(str(fault).split()))
        return Look("not-images", f"is {nature(data)}")
    return Look(content=blake2b(data, digest_size=16).digest(), side=min(image.shape[:2]))


def nature(data: bytes) -> str:
    """What a file that is no image seems to be."""
    for beginning, name in OTHERS.items():
        if data.lstrip().startswith(beginning):
            return name
    return "a text" if data[:64].isascii() and b"\x00" not in data[:64] else "in no format of images"


def look_at(benchmark: Benchmark) -> dict[Path, Look]:
    """A look at each file of the benchmark, over threads and under a progress bar."""
    records = {record.path: record for part in PARTS for record in getattr(benchmark, part)}
    looks = over_threads(look, list(records.values()), f"checking {benchmark.name}'s images")
    return dict(zip(records, looks, strict=True))


def check_files(benchmark: Benchmark, looks: Mapping[Path, Look], *, skip_bad: bool) -> Iterator[Finding]:
    """Files that are no whole images, and images that are too small to show anybody.

    Args:
        benchmark: as read.
        looks: of `look_at`.
        skip_bad: bad images are left out instead of stopping the run.
    """
    records = {record.path: record for part in PARTS for record in getattr(benchmark, part)}
    for code, (what, remedy) in FAULTS.items():
        bad = [record for path, record in records.items() if looks[path].fault == code]
        if bad:
            after = "; they are left out" if skip_bad else ", or leave them out with data.on_bad_image=skip"
            yield Finding(
                "warning" if skip_bad else "error",
                code,
                f"{part_of(len(bad), len(records), 'files')} {what}: {bad[0].path} {looks[bad[0].path].said}."
                f" {remedy}{after}.",
                some(bad),
            )
    tiny = [record for path, record in records.items() if 0 < looks[path].side < SMALLEST]
    if tiny:
        least = min(tiny, key=lambda record: looks[record.path].side)
        yield Finding(
            "warning",
            "tiny-images",
            f"{part_of(len(tiny), len(records), 'images')} have a side below {SMALLEST} pixels, down to"
            f" {looks[least.path].side} ({least.path}), and show little more than colours. Check how they"
            " were cut out.",
            some(tiny),
        )
