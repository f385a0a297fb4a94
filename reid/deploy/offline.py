"""The offline flow of Ascend boxes without PyTorch: inputs as files, and their outputs read back."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid.contracts import Features
from reid.deploy.answers import features_from
from reid.deploy.card import Card
from reid.whole import write_whole

MANIFEST = "preprocess.json"
SIDES = ("query", "gallery")
PLAIN = re.compile(r"[\w-]+")  # tools cut names at dots, info files at blanks


def file_names(paths: Sequence[Path]) -> list[str]:
    """Names of the images' files: their stems where all are plain and different, else numbers."""
    stems = [path.stem for path in paths]
    if all(PLAIN.fullmatch(stem) for stem in stems) and max(Counter(stems).values(), default=1) == 1:
        return stems
    return [f"{number:06d}" for number in range(len(stems))]


def input_folders(card: Card, side: str) -> list[str]:
    """Where the inputs of one side lie, in the card's order: ``query``, ``query_keypoints``."""
    return [side, *(f"{side}_{name}" for name in list(card.inputs)[1:])]


def write_inputs(folder: Path, card: Card, side: str, names: Sequence[str], arrays: Sequence[Tensor]) -> None:
    """A file for each image and input: what the model takes of it, byte for byte, in C order.

    Args:
        folder: of `task=preprocess`.
        side: query or gallery.
        names: of these images.
        arrays: (B, ...) each, as the card wants them.
    """
    for place, values in zip(input_folders(card, side), arrays, strict=True):
        (folder / place).mkdir(exist_ok=True)
        for name, value in zip(names, values.contiguous().numpy(), strict=True):
            (folder / place / f"{name}.bin").write_bytes(value.tobytes())


def write_info(folder: Path, card: Card, side: str, names: Sequence[str]) -> None:
    """``query.info`` ...: a line an image, ``<index> <path> <width> <height>``, paths from this folder."""
    height, width = card.image_size
    for place in input_folders(card, side):
        lines = [f"{k} {place}/{name}.bin {width} {height}\n" for k, name in enumerate(names)]
        write_whole(folder / f"{place}.info", "".join(lines).encode())


@dataclass(frozen=True)
class Manifest:
    """What `task=preprocess` leaves for `task=postprocess`."""

    card: Card
    data: str  # the benchmark's name
    names: Mapping[str, Sequence[str]]  # of the sides' files, in the order of the benchmark's lists

    def write(self, folder: Path) -> None:
        values = {"data": self.data, "names": dict(self.names), "card": json.loads(self.card.to_json())}
        write_whole(folder / MANIFEST, (json.dumps(values, indent=2) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Raises ``FileNotFoundError`` where there is none, ``ValueError`` where it is damaged."""
        path = folder / MANIFEST
        if not path.is_file():
            raise FileNotFoundError(
                f"no {MANIFEST} in {folder}: task.inputs is the folder that task=preprocess left"
            )
        try:
            values = json.loads(path.read_text())
            card = Card.from_json(json.dumps(values["card"]), path=path)
            return cls(card, str(values["data"]), {side: list(values["names"][side]) for side in SIDES})
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error}): run task=preprocess again") from error


@dataclass(frozen=True)
class Outputs:
    """Files that a tool left of the images of one side.

    ``<name>_<k><ending>`` holds output k of an image: ais_bench counts from 0, the older benchmark tool from
    1; ``.txt`` are numbers between blanks, ``.bin`` float32 or float16.
    """

    folder: Path
    card: Card
    names: Sequence[str]

    @cached_property
    def form(self) -> tuple[int, str]:
        """The number of the first output, and the ending.

        Raises:
            FileNotFoundError: the first image has no output here.
        """
        first = self.names[0]
        tried = [(start, ending) for start in (0, 1) for ending in (".bin", ".txt")]
        for start, ending in tried:
            if (self.folder / f"{first}_{start}{ending}").is_file():
                return start, ending
        wanted = ", ".join(f"{first}_{start}{ending}" for start, ending in tried)
        raise FileNotFoundError(f"{self.folder} has none of {wanted}: give the folder of the tool's outputs")

    def path(self, row: int, place: int) -> Path:
        """Of an image's output, by its place among the card's."""
        start, ending = self.form
        return self.folder / f"{self.names[row]}_{start + place}{ending}"

    def check(self, places: Sequence[int]) -> None:
        """Raise ``FileNotFoundError`` unless every image has these outputs."""
        missing = [
            path.name
            for row in range(len(self.names))
            for place in places
            if not (path := self.path(row, place)).is_file()
        ]
        if missing:
            raise FileNotFoundError(
                f"{self.folder} lacks {len(missing):,} of {len(self.names) * len(places):,} outputs:"
                f" {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}: run the tool on all inputs"
            )

    def read(self, row: int, place: int) -> NDArray[np.float32]:
        """One output of one image.

        Raises:
            ValueError: not as many numbers as the card says.
        """
        path, shape = self.path(row, place), list(self.card.shapes.values())[place]
        count = int(np.prod(shape))
        if path.suffix == ".bin":
            content = path.read_bytes()
            values = np.frombuffer(content, np.float16 if len(content) == 2 * count else np.float32)
        else:
            values = parsed(path)
        if values.size != count:
            raise ValueError(
                f"{path} holds {values.size:,} numbers, {list(self.card.outputs)[place]} has {count:,}: it is"
                " of another output or model, or broke off"
            )
        return values.astype(np.float32).reshape(shape)


def parsed(path: Path) -> NDArray[Any]:
    """The numbers of a text file.

    Raises:
        ValueError: something else in it.
    """
    try:
        return np.array(path.read_text().split(), np.float32)
    except ValueError as error:
        raise ValueError(f"{path} is not numbers between blanks: {error}") from error


class RecordedNetwork(nn.Module):
    """Outputs on the disk in a network's place: rows of the evaluation list to features."""

    keypoints = False  # modules ask their network what it sees

    def __init__(self, card: Card, sides: Sequence[Outputs]) -> None:
        super().__init__()
        self.card, self.sides = card, sides
        roles = list(card.outputs.values())
        self.places = [k for k, role in enumerate(roles) if role != "logits"]  # which nothing compares
        for side in sides:
            side.check(self.places)

    def forward(self, rows: Tensor) -> Features:
        """(B,) int64: query, then gallery."""
        names = list(self.card.outputs)
        arrays = {
            names[place]: torch.from_numpy(np.stack([self.of(row, place) for row in rows.tolist()]))
            for place in self.places
        }
        roles = {names[place]: self.card.outputs[names[place]] for place in self.places}
        on_device = {name: value.to(rows.device) for name, value in arrays.items()}
        return features_from(on_device, roles)

    def of(self, row: int, place: int) -> NDArray[np.float32]:
        query, gallery = self.sides
        first = len(query.names)
        return query.read(row, place) if row < first else gallery.read(row - first, place)
