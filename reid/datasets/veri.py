"""VeRi (Liu et al., ECCV 2016): vehicles with colour and type; the release's files, PAMTRI's, or both."""

import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from reid.datasets.keypoints import COLORS, KEYPOINTS, TYPES
from reid.datasets.market1501 import find_folder
from reid.datasets.records import Benchmark, Record
from reid.datasets.veri_labels import Label, numbered, read_table, read_xml

log = logging.getLogger(__name__)

SETS = ("train", "query", "test")  # training, query and gallery, by the release's names
IMAGES = tuple(f"image_{part}" for part in SETS)
NAME = re.compile(r"(\d{4})_c(\d{3})_\d{8}_\d+\.jpg")  # 0001_c001_00016450_0.jpg: vehicle 1, camera 1
ATTRIBUTES = {"color": COLORS, "type": TYPES}

Form = Literal["xml", "csv"]


def read_veri(root: Path, *, name: str = "veri", labels: Form | None = None) -> Benchmark:
    """The benchmark below ``root``; every query also lies in the gallery, as published.

    Two forms are read. The release's: ``name_{train,query,test}.txt`` list the images, or else all files of
    ``image_{train,query,test}`` are; ``train_label.xml`` and ``test_label.xml`` describe them. PAMTRI's:
    ``label_{train,query,test}.csv``, a row for each of any number of images, with 36 keypoints. Where both
    lie, the release's lists and labels hold and keypoints come from the tables; an image without a row then
    has keypoints of confidence 0.

    Args:
        root: holds ``veri/``, ``VeRi/``, ``VeRi_with_plate/``, or itself the three folders of images.
        name: of the benchmark, and of its folder in place of ``veri``.
        labels: the form to read if both are there; None: both.

    Raises:
        FileNotFoundError: no such folder, no labels of that form, or a listed image is missing.
        ValueError: a row that does not fit, an image without a label, or forms that contradict each other.
    """
    folder = find_veri(root, name=name)
    forms = forms_in(folder, labels)
    tables = {part: read_table(folder / f"label_{part}.csv") for part in SETS} if "csv" in forms else None
    lists: dict[str, list[Record]] = {}
    for part in SETS:
        present = {each for each in os.listdir(folder / f"image_{part}") if each.lower().endswith(".jpg")}
        if "xml" in forms:
            xml = read_xml(folder / ("train_label.xml" if part == "train" else "test_label.xml"))
            names = listed(folder / f"name_{part}.txt", present)
            described = joined(names, xml, tables[part] if tables else None, where=f"{folder}, {part}")
        else:
            assert tables is not None
            described = tables[part]
        check_present(described, present, folder / f"image_{part}")
        lists[part] = [
            record_of(folder / f"image_{part}" / image, label) for image, label in described.items()
        ]
    tracks = folder / "test_track.txt"
    gallery = with_tracks(lists["test"], tracks) if tracks.is_file() else lists["test"]
    return Benchmark(name, lists["train"], lists["query"], gallery, attributes=ATTRIBUTES)


def find_veri(root: Path, *, name: str = "veri") -> Path:
    """The folder of the benchmark below ``root``; see `read_veri`."""
    layouts = (name, "VeRi", f"{name}/VeRi", f"{name}/VeRi_with_plate", "VeRi_with_plate", ".")
    return find_folder(root, name=name, layouts=layouts, parts=IMAGES)


def forms_in(folder: Path, wanted: Form | None = None) -> set[str]:
    """Which forms of labels the folder has whole, or the one that is wanted."""
    if wanted not in ("xml", "csv", None):
        raise ValueError(f"data.labels={wanted!r}: use xml, csv, or null for what there is")
    files = {
        "xml": ("train_label.xml", "test_label.xml"),
        "csv": tuple(f"label_{part}.csv" for part in SETS),
    }
    missing = {
        form: [each for each in needed if not (folder / each).is_file()] for form, needed in files.items()
    }
    for form, absent in missing.items():
        if absent and (wanted == form or (wanted is None and len(absent) < len(files[form]))):
            raise FileNotFoundError(
                f"{', '.join(absent)} is missing in {folder}: copy it again, or choose the other form with"
                f" data.labels={'csv' if form == 'xml' else 'xml'}"
            )
    forms = {form for form, absent in missing.items() if not absent}
    if not forms:
        raise FileNotFoundError(
            f"{folder} has no labels: the release's train_label.xml and test_label.xml, or PAMTRI's"
            " label_train.csv, label_query.csv and label_test.csv are needed"
        )
    return forms if wanted is None else {wanted}


def listed(path: Path, present: Iterable[str]) -> list[str]:
    """The names that a list has, a line each; or all that are present."""
    if not path.is_file():
        return sorted(present)
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def joined(
    names: Sequence[str], xml: Mapping[str, Label], table: Mapping[str, Label] | None, *, where: str
) -> dict[str, Label]:
    """The release's labels of its listed images, with a table's keypoints if there is one."""
    if unknown := [name for name in names if name not in xml]:
        raise ValueError(
            f"{where}: {len(unknown):,} of {len(names):,} listed images have no label in the xml, the first"
            f" is {unknown[0]}. Copy the xml again, or set data.labels=csv."
        )
    if table is None:
        return {name: xml[name] for name in names}
    described = {}
    without = 0
    for name in names:
        label, row = xml[name], table.get(name)
        if row is None:
            without += 1
            row = replace(label, keypoints=np.zeros((len(KEYPOINTS), 3), np.float32))
        if (row.identity, row.color, row.type) != (label.identity, label.color, label.type):
            raise ValueError(
                f"{where}: of {name} the xml says vehicle {label.identity}, colour {label.color}, type"
                f" {label.type}, the csv {row.identity}, {row.color}, {row.type}. Choose with data.labels=xml"
                " or csv."
            )
        described[name] = row
    if without:
        log.warning(
            f"{where}: {without:,} of {len(names):,} images have no row in the csv; their keypoints have"
            " confidence 0"
        )
    return described


def check_present(described: Mapping[str, Label], present: set[str], folder: Path) -> None:
    if missing := [name for name in described if name not in present]:
        raise FileNotFoundError(
            f"{len(missing):,} of {len(described):,} listed images are not in {folder}, the first is"
            f" {missing[0]}. Copy them again, or take them out of the list."
        )


def record_of(path: Path, label: Label) -> Record:
    """Checked against the file's name where it is VeRi's; camera -1 where it tells none."""
    camera = re.search(r"c(\d{3})", path.name)
    for kind, number, values in (("colour", label.color, COLORS), ("type", label.type, TYPES)):
        if not 1 <= number <= len(values):
            raise ValueError(f"{path.name} has {kind} {number}, which is none of {numbered(values)}")
    if (match := NAME.fullmatch(path.name)) and int(match[1]) != label.identity:
        raise ValueError(f"{path.name} is of vehicle {int(match[1])}, its label says {label.identity}")
    return Record(
        path,
        label.identity,
        int(camera[1]) - 1 if camera else -1,
        {"color": label.color - 1, "type": label.type - 1},
        keypoints=label.keypoints,
    )


def with_tracks(records: Sequence[Record], path: Path) -> list[Record]:
    """Gallery records with the track that each belongs to: a line of ``path``, a name and then its images.

    The format is known from descriptions only: a first word that is no image of the gallery is a name.
    """
    known = {record.path.name for record in records}
    track: dict[str, int] = {}
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    for number, (first, *rest) in enumerate(lines):
        own = [*([first] if first in known else []), *rest]
        if strange := [name for name in own if NAME.fullmatch(name) is None]:
            raise ValueError(
                f"{path}, line {number + 1}, has {strange[0]!r}: expected a track's name and names of images"
            )
        track |= dict.fromkeys(own, number)
    return [replace(record, track=track.get(record.path.name)) for record in records]
