"""Market-1501 (Zheng et al., ICCV 2015) and whatever else lies in its folders and file names."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from reid.datasets.records import Benchmark, Record

RELEASE = "Market-1501-v15.09.15"
FOLDERS = ("bounding_box_train", "query", "bounding_box_test")  # train, query, gallery
DISTRACTOR = 0  # boxes of background and of nobody in particular, which stay in the gallery
JUNK = -1  # boxes that show nobody well; the official protocol leaves them out
PATTERN = re.compile(r"(-?\d+)_c(\d)")  # 0002_c1s1_000451_03.jpg: identity 2, camera 1


def read_market1501(
    root: Path, *, name: str = "market1501", identities: range = range(1502), cameras: range = range(1, 7)
) -> Benchmark:
    """The benchmark below ``root``: no junk, distractors (identity 0) in the gallery, cameras from 0.

    Args:
        root: holds ``market1501/Market-1501-v15.09.15/``, ``Market-1501-v15.09.15/``, ``market1501/``, or
            itself the three folders of images.
        name: of the benchmark, and of its folder in place of ``market1501``.
        identities, cameras: that file names may state.

    Raises:
        FileNotFoundError: no such folder, one of the three is missing, or one has no image.
        ValueError: a file name that does not fit.
    """
    folder = find_folder(root, name=name, layouts=(f"{name}/{RELEASE}", RELEASE, name, "."))
    lists = [read_folder(folder / part, identities=identities, cameras=cameras) for part in FOLDERS]
    return Benchmark(name, *lists, distractor=DISTRACTOR)


def find_folder(root: Path, *, name: str, layouts: Sequence[str], parts: Sequence[str] = FOLDERS) -> Path:
    """The first of ``layouts`` below ``root`` that has all ``parts``; or an error that says what there is."""
    places = [root / layout for layout in layouts]
    for place in places:
        if all((place / part).exists() for part in parts):
            return place
    for place in places:
        missing = [part for part in parts if not (place / part).exists()]
        if len(missing) < len(parts):
            raise FileNotFoundError(
                f"{name} in {place} is not whole: {', '.join(missing)} is missing, there is {seen_in(place)}."
                " Copy it again."
            )
    nearest = next((place for place in places if place.is_dir()), None)
    there = f"{nearest} holds {seen_in(nearest)}" if nearest else f"{root} does not exist"
    raise FileNotFoundError(
        f"{name} was not found: {there}. {', '.join(parts)} were looked for in {root} itself and in its"
        f" {', '.join(layout for layout in layouts if layout != '.')}. Set paths.data=DIR (or the environment"
        f" variable REID_DATA) to the folder that holds {layouts[0]}."
    )


def seen_in(folder: Path) -> str:
    names = sorted(entry.name + "/" * entry.is_dir() for entry in os.scandir(folder))
    return ", ".join([*names[:10], *([f"{len(names) - 10} more"] if len(names) > 10 else [])]) or "nothing"


def read_folder(folder: Path, *, identities: range, cameras: range) -> list[Record]:
    """The images of a folder by name, without junk, other files (``Thumbs.db``) and hidden ones."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.name.lower().endswith(".jpg"))
    names = [name for name in names if not name.startswith(".")]
    records, strangers = [], []
    for name in names:
        match = PATTERN.match(name)
        identity, camera = (int(match[1]), int(match[2])) if match else (JUNK, -1)
        if not match or camera not in cameras or (identity != JUNK and identity not in identities):
            strangers.append(name)
        elif identity != JUNK:
            records.append(Record(folder / name, identity, camera - cameras.start))
    if strangers:
        raise ValueError(
            f"{len(strangers)} of {len(names)} images in {folder} are not named IDENTITY_cCAMERA....jpg with"
            f" identity -1 or {identities.start} to {identities.stop - 1} and camera {cameras.start} to"
            f" {cameras.stop - 1}: {', '.join(strangers[:5])}. Move them elsewhere, or choose the benchmark"
            " that they belong to with data=NAME."
        )
    if not records:
        raise FileNotFoundError(
            f"{folder} has no images (*.jpg), there is {seen_in(folder)}. Copy the benchmark again."
        )
    return records
