"""Keypoints that people marked in pictures of VeRi (Tang et al., "PAMTRI", ICCV 2019), for PoseEstNet."""

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid.datasets.keypoints import KEYPOINTS
from reid.datasets.market1501 import find_folder
from reid.datasets.records import Record

log = logging.getLogger(__name__)

PARTS = ("train", "test")
COLUMNS = 3 + 3 * len(KEYPOINTS)  # name, width, height, and x, y, visibility of each keypoint
NAME = re.compile(r"(\d{4})_c(\d{3})_")  # 0001_c001_00016450_0.jpg: vehicle 1, camera 1
SHOWN = 5  # names that a warning gives


@dataclass(frozen=True)
class PoseBenchmark:
    """Pictures with keypoints; the third number of each is 1 where it is visible and 0 where it is not."""

    name: str
    train: Sequence[Record]
    test: Sequence[Record]
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)  # part -> annotated, but not there


def read_veri_pose(root: Path, *, name: str = "veri_pose") -> PoseBenchmark:
    """The annotated pictures below ``root``, in the order of the tables.

    ``annot/label_{train,test}.csv`` have no header and 111 columns: name, width and height of the picture,
    then 36 x (x, y, visibility) in whole pixels of it. Pictures lie in ``images/image_{train,test}``, as
    PAMTRI says, or in VeRi's own ``image_train``, which has those of both tables. Some do not exist anywhere
    (12 of the published ``label_train.csv``): they are left out, and a warning says which.

    Args:
        root: holds ``veri/``, ``VeRi/``, or itself ``annot/``.
        name: of the benchmark.

    Raises:
        FileNotFoundError: no such folder or table, or none of a table's pictures.
        ValueError: a row that does not fit.
    """
    tables = tuple(f"annot/label_{part}.csv" for part in PARTS)
    layouts = ("veri", "VeRi", "veri/VeRi", "VeRi_with_plate", name, ".")
    folder = find_folder(root, name=name, layouts=layouts, parts=tables)
    lists: dict[str, list[Record]] = {}
    missing: dict[str, list[str]] = {}
    for part, table in zip(PARTS, tables, strict=True):
        rows = read_annotations(folder / table)
        places = find_pictures(folder, part)
        lists[part] = [record_of(places[each] / each, rows[each]) for each in rows if each in places]
        missing[part] = [each for each in rows if each not in places]
        report_missing(missing[part], rows=len(rows), table=folder / table)
    return PoseBenchmark(name, lists["train"], lists["test"], missing)


def find_pictures(folder: Path, part: str) -> dict[str, Path]:
    """Name -> folder of every picture that a table can mean, the likeliest folder first."""
    places: dict[str, Path] = {}
    for inner in (f"images/image_{part}", "images/image_train", f"image_{part}", "image_train"):
        if (folder / inner).is_dir():
            for name in os.listdir(folder / inner):
                places.setdefault(name, folder / inner)
    return places


def report_missing(names: Sequence[str], *, rows: int, table: Path) -> None:
    """Raise ``FileNotFoundError`` where nothing is left."""
    if not names:
        return
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    words = f"{len(names):,} of {rows:,} pictures of {table} are not there: {', '.join(names[:SHOWN])}{more}"
    if len(names) == rows:
        raise FileNotFoundError(
            f"{words}. Copy them to {table.parents[1] / 'images'}/image_train and image_test, or VeRi's"
            f" image_train to {table.parents[1]}"
        )
    log.warning(f"{words}. They are left out")


def read_annotations(path: Path) -> dict[str, NDArray[np.float32]]:
    """Name -> (36, 3) x, y in pixels and visibility, 0 or 1, in the table's order.

    Raises ``ValueError`` with the row that does not fit.
    """
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path} has no row: copy it again")
    for number, line in enumerate(lines, 1):
        if (found := line.count(",") + 1) != COLUMNS:
            guess = ", as a table for MultiTaskNet has" if found == COLUMNS + 1 else ""
            raise ValueError(
                f"{path}, row {number}, has {found} columns{guess}; {COLUMNS} are expected: name, width,"
                f" height and {len(KEYPOINTS)} x (x, y, visibility)"
            )
    names = [line.partition(",")[0].strip() for line in lines]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(
            f"{path} has {len(twice)} pictures twice, the first is {twice[0]}: remove a row of each"
        )
    try:
        values = np.loadtxt(lines, np.float32, delimiter=",", usecols=range(3, COLUMNS), ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} holds something other than numbers behind the names: {error}") from None
    keypoints = values.reshape(len(values), len(KEYPOINTS), 3)
    right = np.isfinite(keypoints).all((1, 2)) & np.isin(keypoints[..., 2], (0, 1)).all(1)
    if not right.all():
        row = int(np.argmin(right))
        raise ValueError(
            f"{path}, row {row + 1} ({names[row]}), has a coordinate that is no number or a visibility other"
            " than 0 and 1: correct it"
        )
    return dict(zip(names, keypoints, strict=True))


def record_of(path: Path, keypoints: NDArray[np.float32]) -> Record:
    """Vehicle and camera as VeRi's names tell them; -1 for other names."""
    match = NAME.match(path.name)
    identity, camera = (int(match[1]), int(match[2]) - 1) if match else (-1, -1)
    return Record(path, identity, camera, keypoints=keypoints)
