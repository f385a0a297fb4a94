"""Your own pictures: a table that says who is on each, or a folder for each identity."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from reid.datasets.market1501 import JUNK, seen_in
from reid.datasets.records import PARTS, Benchmark, Record
from reid.datasets.table import COLUMNS, Row, table_rows

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
FOLDERS = {  # of a list, in the names that people give it
    "train": ("train", "training", "bounding_box_train"),
    "query": ("query", "queries", "probe"),
    "gallery": ("gallery", "bounding_box_test"),
    "test": ("test",),  # query and gallery, to be divided; the gallery where there is a query
}
UNKNOWN = -1  # camera


def read_own(
    folder: Path,
    *,
    name: str = "folder",
    table: Path | None = None,
    camera_pattern: str = r"(?:^|_)c(?:am)?(\d+)",
    test_share: float = 0.5,
    seed: int = 0,
) -> Benchmark:
    """A benchmark of the user's own pictures.

    From a table, ``.csv`` or ``.parquet``, with a row an image: ``image`` (a path, relative to ``folder``),
    ``identity``, and optionally ``camera``, ``split`` (train, query, gallery or test); other columns are
    attributes. Or from folders: ``ID/*.jpg``, or ``train/ID/*.jpg`` with ``query/`` and ``gallery/``, or
    ``test/``, beside it; in a folder ``ID/CAMERA/`` or by ``camera_pattern`` a camera is known.

    Where nothing says what is for training, ``test_share`` of the identities, chosen by ``seed``, are not.
    Of test images not divided into query and gallery, the first of each identity and camera that took two or
    more is a query; of an identity without such a camera, its first. Whole numbers stay the identities'
    numbers (-1 is junk, which is left out), other names are numbered from 1 in alphabetical order. A camera
    that is not known (-1) is never the query's own.

    Args:
        folder: holds the images.
        name: of the benchmark.
        table: file that describes them; relative to ``folder`` if not absolute.
        camera_pattern: regular expression whose first group is the camera in a file's name.
        test_share: 0 to 1.
        seed: of that choice.

    Raises:
        FileNotFoundError: no such folder or table, or listed images are missing.
        ValueError: a table without a column that is needed, an empty or unknown value, or no image at all.
    """
    if not 0 <= test_share <= 1:
        raise ValueError(f"data.test_share={test_share}: use a number from 0 to 1")
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} does not exist: set data.path=DIR to the folder of your pictures")
    rows = folder_rows(folder, camera_pattern) if table is None else table_rows(folder / table, folder)
    identities = numbered([row["identity"] for row in rows], first=1)
    cameras = coded([row["camera"] for row in rows])
    names = [column for column in rows[0] if column not in COLUMNS]
    values = {column: sorted({row[column] for row in rows}) for column in names}
    records = []
    for row, identity, camera in zip(rows, identities, cameras, strict=True):
        attributes = {column: values[column].index(row[column]) for column in names}
        records.append(Record(row["image"], identity, camera, attributes))
    splits = [row["split"] for row in rows]
    if not any(splits):
        chosen = chosen_for_test(identities, share=test_share, seed=seed)
        splits = ["test" if identity in chosen else "train" for identity in identities]
    lists: dict[str, list[Record]] = {part: [] for part in (*PARTS, "test")}
    for record, split in zip(records, splits, strict=True):
        if record.identity != JUNK:
            lists[split].append(record)
    more_query, more_gallery = divided(lists["test"])
    query, gallery = [*lists["query"], *more_query], [*lists["gallery"], *more_gallery]
    return Benchmark(name, lists["train"], query, gallery, attributes=values)


def folder_rows(folder: Path, camera_pattern: str) -> list[Row]:
    """A row for each image below folders named after identities."""
    try:
        camera = re.compile(camera_pattern)
    except re.error as error:
        raise ValueError(f"data.camera_pattern={camera_pattern!r}, a regular expression: {error}") from None
    if camera.groups < 1:
        raise ValueError(f"data.camera_pattern={camera_pattern!r} has no group (...) that is the camera")
    base = without_wrappers(folder)
    places = {
        split: base / name for split, names in FOLDERS.items() for name in names if (base / name).is_dir()
    }
    if "query" in places and "test" in places:
        places.setdefault("gallery", places.pop("test"))
    rows = []
    for split, place in (places or {"": base}).items():
        for identity in subfolders(place):
            for image in sorted(identity.rglob("*")):
                if image.suffix.lower() not in SUFFIXES or image.name.startswith("."):
                    continue
                inner = image.relative_to(identity).parts[:-1]
                match = camera.search(image.name)
                seen_by = match[1] if match else inner[0] if inner else ""
                rows.append({"image": image, "identity": identity.name, "camera": seen_by, "split": split})
    if not rows:
        raise FileNotFoundError(
            f"{base} has no image in folders named after identities (ID/*.jpg, or train/ID/*.jpg with query/"
            f" and gallery/), there is {seen_in(base)}. A table of images is given by data.table=FILE.csv"
        )
    return rows


def without_wrappers(folder: Path) -> Path:
    """The folder, or what it merely wraps: a single folder of folders."""
    inside = subfolders(folder)
    if len(inside) == 1 and subfolders(inside[0]) and not any(folder.glob("*.*")):
        return without_wrappers(inside[0])
    return folder


def subfolders(folder: Path) -> list[Path]:
    return sorted(Path(each) for each in os.scandir(folder) if each.is_dir() and each.name[0] not in "._")


def numbered(names: Sequence[str], *, first: int) -> list[int]:
    """Whole numbers as they are; if there are other names, all by alphabetical order from ``first`` on."""
    try:
        return [int(name) for name in names]
    except ValueError:
        number = {name: place for place, name in enumerate(sorted(set(names)), first)}
        return [number[name] for name in names]


def coded(cameras: Sequence[str]) -> list[int]:
    """0, 1, ... in the order of the cameras' names or numbers; -1 for an empty name and for -1."""
    known = [camera for camera in cameras if camera not in ("", str(UNKNOWN))]
    codes = {code: place for place, code in enumerate(sorted(set(numbered(known, first=0))))}
    places = iter(codes[code] for code in numbered(known, first=0))
    return [next(places) if camera not in ("", str(UNKNOWN)) else UNKNOWN for camera in cameras]


def chosen_for_test(identities: Iterable[int], *, share: float, seed: int) -> set[int]:
    everyone = sorted(set(identities))
    chosen = np.random.default_rng(seed).permutation(len(everyone))[: round(share * len(everyone))]
    return {everyone[place] for place in chosen}


def divided(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Query and gallery of test images, by the rule of `read_own`; a lone image is for the gallery."""
    images: dict[int, dict[int, list[Record]]] = {}
    for record in records:
        images.setdefault(record.identity, {}).setdefault(record.camera, []).append(record)
    queries = set()
    for by_camera in images.values():
        groups = [taken for taken in by_camera.values() if len(taken) > 1]
        if not groups:
            groups = [[record for taken in by_camera.values() for record in taken]]
        queries |= {taken[0].path for taken in groups if len(taken) > 1}
    query = [record for record in records if record.path in queries]
    return query, [record for record in records if record.path not in queries]
