"""Guides as they were published, a little gray JPEG a plane: read, and written."""

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from reid.datasets.records import Record
from reid.loading.guides.jpeg import decode_plane, decode_together
from reid.loading.guides.source import (
    KINDS,
    SIDE,
    Place,
    Planes,
    check_planes,
    count_channels,
    in_batches,
    kinds_of,
    place_of,
    seen_segments,
)
from reid.loading.transforms import Pixels

ROOM = 1 << 16  # bytes at a time; a plane's file has some 800


class FileGuides:
    """``<folder>/heatmap_<set>/<stem>/00.jpg`` to 35, and ``<folder>/segment_<set>/<stem>/00.jpg`` to 12.

    Planes of another size are resized bilinearly to 64 x 64. Files of segments that are not seen stay closed.

    Args:
        records: of images in ``<folder>/image_<set>/``; with keypoints if segments are gated.
        heatmap: read the 36 heat maps.
        segment: read the 13 segments.
        confidence: of all four keypoints of a segment that is seen; 0 shows all.

    Raises:
        FileNotFoundError: ``heatmap_<set>`` or ``segment_<set>`` is missing; when called, a file.
        ValueError: nothing to read, or records without keypoints; when called, a damaged file.
    """

    def __init__(
        self, records: Sequence[Record], *, heatmap: bool, segment: bool, confidence: float = 0.5
    ) -> None:
        self.channels = count_channels(heatmap=heatmap, segment=segment)
        self.kinds = kinds_of(heatmap=heatmap, segment=segment)
        self.places = [place_of(record) for record in records]
        for folder, part in sorted({place[:2] for place in self.places}):
            for kind in self.kinds:
                check_folder(folder / f"{kind}_{part}")
        if segment:
            self.seen = seen_segments(records, confidence=confidence)

    def __call__(self, rows: Sequence[int], sizes: ArrayLike) -> Pixels:
        """Rows -> (n, channels, 64, 64); the sizes of the images do not matter."""
        planes = np.zeros((len(rows), self.channels, SIDE, SIDE), np.uint8)
        for picture, row in zip(planes, rows, strict=True):
            first = 0
            for kind in self.kinds:
                count = KINDS[kind]
                wanted = range(count) if kind == "heatmap" else np.flatnonzero(self.seen[row]).tolist()
                if len(wanted):
                    read = read_planes(self.places[row].files(kind), wanted=wanted)
                    picture[first : first + count][wanted] = read
                first += count
        return planes


def check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is missing. Unpack PAMTRI's heatmaps and segments there, draw them with"
            f" data.guides=keypoints, or set data.{folder.name.partition('_')[0]}=false."
        )


def read_planes(folder: Path, *, wanted: Sequence[int]) -> Pixels:
    """The ``wanted`` files of a folder, at least one, -> (n, 64, 64).

    Raises ``FileNotFoundError`` or, for a file that breaks off or is no image, ``ValueError``.
    """
    names = [f"{plane:02d}.jpg" for plane in wanted]
    contents: list[bytes] = []
    try:
        inside = os.open(folder, os.O_RDONLY)  # one walk along the path, not one a file
        try:
            contents.extend(read_file(name, inside=inside) for name in names)
        finally:
            os.close(inside)
    except FileNotFoundError as error:
        place = folder if error.filename not in names else folder / error.filename
        raise FileNotFoundError(
            f"{place} is missing: copy this picture's guides again, or set data.guides=keypoints"
        ) from None
    together = decode_together(contents)
    if together is not None:
        return together
    return np.stack(
        [decode_file(folder / name, content) for name, content in zip(names, contents, strict=True)]
    )


def read_file(name: str, *, inside: int) -> bytes:
    """All bytes of a file in a folder that is open."""
    file = os.open(name, os.O_RDONLY, dir_fd=inside)
    try:
        content = os.read(file, ROOM)
        while len(content) % ROOM == 0 and (more := os.read(file, ROOM)):
            content += more
        return content
    finally:
        os.close(file)


def decode_file(path: Path, content: bytes) -> Pixels:
    try:
        return decode_plane(content)
    except ValueError as fault:
        raise ValueError(f"{path} {fault}: copy it again, or set data.guides=keypoints") from None


def write_guide_files(
    records: Sequence[Record],
    planes: Planes,
    *,
    heatmap: bool,
    segment: bool,
    quality: int = 95,
) -> None:
    """Write guides as `FileGuides` reads them; pictures that have all of their files keep them.

    A picture's files appear all at once, so that a run that is stopped can go on where it was.

    Args:
        records: of images in ``<folder>/image_<set>/``.
        planes: of rows of the records: heat maps, if on, then segments, if on; with segments ungated, for
            that is done when they are read.
        heatmap: write the 36 heat maps.
        segment: write the 13 segments.
        quality: of the JPEGs, 0 to 100.

    Raises ``ValueError`` for records outside VeRi's layout, or planes of another shape.
    """
    channels = count_channels(heatmap=heatmap, segment=segment)
    kinds = kinds_of(heatmap=heatmap, segment=segment)
    places = [place_of(record) for record in records]
    rows = [row for row, place in enumerate(places) if not all(finished(place, kind) for kind in kinds)]
    with tqdm(total=len(rows), desc="writing guides", disable=None, leave=False) as bar:
        for some in in_batches(rows):
            batch = planes(some)
            check_planes(batch, (len(some), channels))
            for row, picture in zip(some, batch, strict=True):
                first = 0
                for kind in kinds:
                    if not finished(places[row], kind):
                        write_folder(
                            places[row].files(kind), picture[first : first + KINDS[kind]], quality=quality
                        )
                    first += KINDS[kind]
                bar.update()


def finished(place: Place, kind: str) -> bool:
    """Whether a picture has all of its files of a kind."""
    try:
        present = set(os.listdir(place.files(kind)))
    except FileNotFoundError:
        return False
    return present.issuperset(f"{plane:02d}.jpg" for plane in range(KINDS[kind]))


def write_folder(folder: Path, planes: Pixels, *, quality: int) -> None:
    """A folder of ``00.jpg``, ``01.jpg`` ... that is there with all of them or not at all."""
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    draft.mkdir(parents=True)
    try:
        for number, plane in enumerate(planes):
            content = cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            (draft / f"{number:02d}.jpg").write_bytes(content.tobytes())
        if folder.exists():  # what is left of an interrupted copy: a folder cannot replace one with files
            os.replace(folder, draft / "replaced")
            os.replace(draft, folder)
            shutil.rmtree(folder / "replaced")
        else:
            os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
