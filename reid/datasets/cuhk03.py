"""CUHK03 (Li et al., CVPR 2014): a MATLAB file of images, unpacked once, and two protocols of testing."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import h5py
from tqdm import tqdm

from reid.datasets.market1501 import find_folder
from reid.datasets.records import Benchmark, Record
from reid.whole import write_whole

NAME = "cuhk03"
RELEASE = "cuhk03_release"
MATLAB = "cuhk-03.mat"
LAYOUTS = (f"{NAME}/{RELEASE}", NAME, RELEASE, ".")
BOXES = ("detected", "labeled")
PROTOCOLS = ("new", "classic")
SPLITS = 20  # of the classic protocol

Person = tuple[int, int]  # pair of cameras, and the person's row there; both from 1


def read_cuhk03(root: Path, *, boxes: str = "detected", protocol: str = "new", split: int = 0) -> Benchmark:
    """The benchmark below ``root``, unpacked on first use; the camera is the view, 0 or 1.

    Identities are ``1000 * pair + person``, so that one number is one person in both protocols.

    Args:
        root: holds ``cuhk03/cuhk03_release/cuhk-03.mat``, with either folder left out.
        boxes: "detected" by a part model, or "labeled" by hand.
        protocol: "new" (Zhong et al., CVPR 2017: 767 people to train, 700 to test; needs their
            ``cuhk03_new_protocol_config_{boxes}.mat`` beside or above the images' file), or "classic" (1,367
            and 100; every test image is query and gallery image).
        split: which of the 20 classic ones.

    Raises:
        FileNotFoundError: a MATLAB file is missing.
        ValueError: an unknown choice, a file that is not what its name says, or names that are not in it.
    """
    check_choices(boxes, protocol, split)
    folder = find_folder(root, name=NAME, layouts=LAYOUTS, parts=[MATLAB])
    images = folder / f"images_{boxes}"
    index = unpack(folder / MATLAB, images, boxes=boxes)
    if protocol == "new":
        lists = new_lists(folder, index["images"], boxes=boxes)
    else:
        test = {(pair, person) for pair, person in index["tests"][split]}
        train_names = [name for name in index["images"] if person_of(name) not in test]
        test_names = [name for name in index["images"] if person_of(name) in test]
        lists = [train_names, test_names, test_names]
    return Benchmark(NAME, *([record_of(images, name) for name in names] for names in lists))


def check_choices(boxes: str, protocol: str, split: int) -> None:
    """Raise ``ValueError`` for what CUHK03 does not have."""
    for key, value, allowed in (("boxes", boxes, BOXES), ("protocol", protocol, PROTOCOLS)):
        if value not in allowed:
            raise ValueError(f"data.{key}={value!r}: use {' or '.join(allowed)}")
    if split not in range(SPLITS):
        raise ValueError(f"data.split={split!r}: use 0 to {SPLITS - 1}")


def person_of(name: str) -> Person:
    """``1_002_2_06.png``, the pair, the person, the view and the image, -> (1, 2)."""
    pair, person, *_ = name.split("_")
    return int(pair), int(person)


def record_of(images: Path, name: str) -> Record:
    pair, person = person_of(name)
    return Record(images / name, 1000 * pair + person, int(name.split("_")[2]) - 1)


def new_lists(folder: Path, unpacked: Sequence[str], *, boxes: str) -> list[list[str]]:
    """The names for training, query and gallery, as the new protocol's configuration has them."""
    from scipy.io import loadmat  # a quarter of a second that only this benchmark needs

    file = f"{NAME}_new_protocol_config_{boxes}.mat"
    places = [folder / file, folder.parent / file]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{file} was not found in {' or '.join(str(place.parent) for place in places)}. Put it there (it"
            " comes with the new protocol of Zhong et al., CVPR 2017), or set data.protocol=classic."
        )
    try:
        config = loadmat(path)
        names = [str(cell.item()) for cell in config["filelist"].flat]
        lists = [
            [names[int(row) - 1] for row in config[f"{part}_idx"].flat]  # MATLAB counts from 1
            for part in ("train", "query", "gallery")
        ]
    except Exception as error:  # loadmat has many, by what it takes for a header
        raise ValueError(
            f"{path} is not the new protocol's configuration ({error}). Copy it again."
        ) from error
    strangers = sorted({name for part in lists for name in part} - set(unpacked))
    if strangers:
        raise ValueError(
            f"{len(strangers):,} images of {path} are not among the {len(unpacked):,} {boxes} ones of"
            f" {MATLAB}, the first is {strangers[0]}. Copy both files again."
        )
    return lists


def unpack(matlab: Path, images: Path, *, boxes: str) -> dict[str, Any]:
    """Write the images as PNG, unless they are there, and return their index.

    A run that is stopped leaves whole images, which the next one keeps; the index, a ``.json`` beside their
    folder, comes last. It holds ``images``, their names, and ``tests``, the pairs and persons of each classic
    split.
    """
    stamp = images.with_suffix(".json")
    images.mkdir(exist_ok=True)
    present = set(os.listdir(images))
    if stamp.is_file():
        index: dict[str, Any] = json.loads(stamp.read_text())
        if present.issuperset(index["images"]):
            return index
    try:
        with h5py.File(matlab) as file:
            index = {
                "images": list(write_images(file, images, boxes=boxes, present=present)),
                "tests": [file[split][()].T.astype(int).tolist() for split in file["testsets"][0]],
            }
    except (OSError, KeyError) as error:
        if isinstance(error, OSError) and error.errno:  # a full disk is not the file's fault
            raise
        raise ValueError(
            f"{matlab} is not the HDF5 file of CUHK03, or not all of it ({error}). Copy it again."
        ) from error
    write_whole(stamp, json.dumps(index).encode())
    return index


def write_images(file: h5py.File, images: Path, *, boxes: str, present: set[str]) -> Iterator[str]:
    """Write what is not ``present``, and yield every name. MATLAB's arrays are transposed in HDF5."""
    pairs = [file[pair][()].T for pair in file[boxes][0]]  # each (people, 10) references
    cells = [
        (f"{pair}_{person:03d}_{1 if column < 5 else 2}_{column + 1:02d}.png", reference)
        for pair, people in enumerate(pairs, 1)
        for person, row in enumerate(people, 1)
        for column, reference in enumerate(row)
    ]
    for name, reference in tqdm(cells, desc=f"Unpacking {MATLAB}, {boxes}", disable=None, leave=False):
        image = file[reference]
        if image.ndim < 3 or not image.size:  # fewer than five images of a view
            continue
        if name not in present:
            bgr = cv2.cvtColor(image[()].T, cv2.COLOR_RGB2BGR)  # (H, W, 3)
            write_whole(images / name, cv2.imencode(".png", bgr)[1].tobytes())
        yield name
