"""What describes VeRi's images: the release's xml, and the tables with keypoints that PAMTRI adds."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from reid.datasets.keypoints import KEYPOINTS, TYPES

log = logging.getLogger(__name__)

COLUMNS = 4 + 3 * len(KEYPOINTS)  # of PAMTRI's tables
SUVS_OF_TYPE_0 = (3, 7, 41)  # the first release's train_label.xml gives these vehicles no type
SUV = 1 + TYPES.index("suv")


@dataclass(frozen=True, slots=True)
class Label:
    """What one row of a table says of an image; colour and type as numbered there, from 1."""

    identity: int
    color: int
    type: int
    keypoints: NDArray[np.float32] | None = None  # (36, 3)


def numbered(values: Sequence[str]) -> str:
    return ", ".join(f"{number} {value}" for number, value in enumerate(values, 1))


def read_xml(path: Path) -> dict[str, Label]:
    """Image name -> label, from the release's xml."""
    text = path.read_bytes().decode("gb18030", errors="replace")  # declared gb2312, which expat cannot read
    try:
        items = ElementTree.fromstring(re.sub(r"^\s*<\?xml.*?\?>", "", text)).iter("Item")
        labels = {
            item.attrib["imageName"]: Label(
                int(item.attrib["vehicleID"]), int(item.attrib["colorID"]), int(item.attrib["typeID"])
            )
            for item in items
        }
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ValueError(
            f'{path} does not read as <Item imageName="..." vehicleID="..." cameraID="..." colorID="..."'
            f' typeID="..."/> throughout ({type(error).__name__}: {error}): copy it again'
        ) from None
    untyped = [name for name, label in labels.items() if label.type == 0]
    for name in untyped:
        if labels[name].identity not in SUVS_OF_TYPE_0:
            raise ValueError(
                f"{path} gives {name} type 0, which is none of {numbered(TYPES)}: correct typeID there"
            )
        labels[name] = replace(labels[name], type=SUV)
    if untyped:
        log.info(
            f"{path.name}: {len(untyped)} images of vehicles 3, 7 and 41 have type 0, read as {SUV} (suv)"
        )
    return labels


def read_table(path: Path) -> dict[str, Label]:
    """Image name -> label, from a table of PAMTRI's: no header, 112 columns."""
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        if (found := line.count(",") + 1) != COLUMNS:
            pose = ", as annotations of keypoints for PoseEstNet have" if found == COLUMNS - 1 else ""
            raise ValueError(
                f"{path}, row {number}, has {found} columns{pose}; {COLUMNS} are expected: name, vehicle,"
                f" colour, type and {len(KEYPOINTS)} x (x, y, confidence)"
            )
    if not lines:
        raise ValueError(f"{path} has no row: copy it again")
    names = [line.partition(",")[0].strip() for line in lines]
    try:
        values = np.loadtxt(lines, np.float32, delimiter=",", usecols=range(1, COLUMNS), ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} holds something other than numbers behind the names: {error}") from None
    if not np.isfinite(values).all():
        raise ValueError(f"{path}, row {1 + int(np.argmin(np.isfinite(values).all(1)))}, holds a NaN")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(
            f"{path} has {len(twice)} images twice, the first is {twice[0]}: remove a row of each"
        )
    keypoints = values[:, 3:].reshape(len(values), len(KEYPOINTS), 3)
    return {
        name: Label(int(row[0]), int(row[1]), int(row[2]), points)
        for name, row, points in zip(names, values, keypoints, strict=True)
    }
