"""MSMT17 (Wei et al., CVPR 2018), first and second release: list files beside folders of people."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from reid.datasets.market1501 import find_folder, seen_in
from reid.datasets.records import Benchmark, Record

NAME = "msmt17"
RELEASES = ("MSMT17_V1", "MSMT17_V2")
LAYOUTS = (*(f"{NAME}/{release}" for release in RELEASES), *RELEASES, NAME, ".")
FOLDERS = (("train", "test"), ("mask_train_v2", "mask_test_v2"))  # of the two releases; V2 has masked faces
CAMERAS = range(1, 16)
# 0000/0000_000_01_0303morning_0015_0.jpg 0: camera 1, identity 0
LINE = re.compile(r"([^\s_/]+/[^\s_]+_[^\s_]+_(\d+)_\S+\.jpg) (\d+)")


def read_msmt17(root: Path, *, include_val: bool = False) -> Benchmark:
    """The benchmark below ``root``, in the order of its list files; cameras count from 0.

    Identities count from 0 in training and again in the test: equal numbers are different people.

    Args:
        root: holds ``msmt17/MSMT17_V1/`` or, if there is none, ``msmt17/MSMT17_V2/``, either of the two
            levels, or is itself the folder of lists.
        include_val: train on ``list_val.txt`` too, which has other images of the same people.

    Raises:
        FileNotFoundError: no such folder, a list or a folder of images is missing, or a listed image is.
        ValueError: folders of both releases, a line that does not fit, or an ``include_val`` that is no bool.
    """
    if not isinstance(include_val, bool):
        raise ValueError(f"data.include_val={include_val!r}: use true or false")
    training = ["list_train.txt", *(["list_val.txt"] if include_val else [])]
    lists = [*training, "list_query.txt", "list_gallery.txt"]
    folder = find_folder(root, name=NAME, layouts=LAYOUTS, parts=lists)
    train, test = (folder / part for part in choose_release(folder))
    return Benchmark(
        NAME,
        [record for file in training for record in read_list(folder / file, train)],
        read_list(folder / "list_query.txt", test),
        read_list(folder / "list_gallery.txt", test),
        one_numbering=False,
    )


def choose_release(folder: Path) -> tuple[str, str]:
    """The names of the image folders for training and test."""
    whole = [pair for pair in FOLDERS if all((folder / part).is_dir() for part in pair)]
    if len(whole) == 1:
        return whole[0]
    choices = " or ".join(" and ".join(pair) for pair in FOLDERS)
    if whole:
        raise ValueError(
            f"{folder} holds both releases of {NAME} ({choices}), which are two benchmarks. Move each into a"
            f" folder with its own list files, and set paths.data=DIR to one of them."
        )
    raise FileNotFoundError(
        f"{NAME} in {folder} has no pair of image folders: {choices}, there is {seen_in(folder)}."
        " Copy it again."
    )


def read_list(file: Path, images: Path) -> list[Record]:
    """The lines ``PATH IDENTITY`` of a list; PATH is below ``images`` and names the camera third."""
    names, records = [], []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip():
            continue
        match = LINE.fullmatch(line.strip())
        if not match or int(match[2]) not in CAMERAS:
            raise ValueError(
                f"{file}, line {number}, is {line!r}: expected PERSON/PERSON_NUMBER_CAMERA_....jpg IDENTITY,"
                f" with camera {CAMERAS.start} to {CAMERAS.stop - 1}. Copy the list again."
            )
        names.append(match[1])
        records.append(Record(images / match[1], int(match[3]), int(match[2]) - CAMERAS.start))
    if missing := absent(names, images):
        raise FileNotFoundError(
            f"{len(missing):,} of the {len(records):,} images of {file} are not in {images}, the first is"
            f" {missing[0]}. Copy them again; lists of one release do not fit the images of the other"
            f" ({', '.join(RELEASES)})."
        )
    if not records:
        raise FileNotFoundError(f"{file} lists no image. Copy it again.")
    return records


def absent(names: Sequence[str], images: Path) -> list[str]:
    """The ``names`` that are not below ``images``: a listing a folder, not 126,441 looks."""
    present = set()
    for folder in {name.rpartition("/")[0] for name in names}:
        if (images / folder).is_dir():
            present |= {f"{folder}/{name}" for name in os.listdir(images / folder)}
    return [name for name in names if name not in present]
