"""What an exported file says about itself: what goes in, what comes out, whom it tells apart."""

import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reid.contracts import Batch
from reid.loading.device import lay_over

FORMAT = 1
KEY = "reid"  # of ONNX's metadata_props and, with .json, of TorchScript's extra files
ROLES = ("embedding", "stripes", "logits", "heatmaps")  # what an output is; or "attributes." and a name


@dataclass(frozen=True)
class Card:
    """Travels inside ONNX and TorchScript files, and as ``<file>.json`` beside every exported file."""

    model: str  # its name in conf/model
    checkpoint: str  # the file it was made from
    description: Mapping[str, Any]  # the checkpoint's own: model section, distance, identities, attributes
    image_size: tuple[int, int]  # height, width in pixels; resizing is up to whoever calls
    heatmap: bool  # 36 planes of keypoint heatmaps follow the image's three
    segment: bool  # 13 planes of faces follow those
    keypoints: bool  # the second input
    mean: tuple[float, ...]  # of each plane, where 1 is white
    std: tuple[float, ...]
    embedded: bool  # takes (B, H, W, C) uint8 and normalises; else (B, C, H, W) float32, normalised
    half: bool  # computes in float16 inside
    batch_size: int | None  # the only number of images it takes; None: any
    inputs: Mapping[str, tuple[int, ...]]  # name -> shape without the batch, images first
    outputs: Mapping[str, str]  # name -> what it is, one of ROLES or "attributes.<name>"
    shapes: Mapping[str, tuple[int, ...]]  # of the outputs, without the batch

    @property
    def distance(self) -> str:
        """By which its best epoch was chosen."""
        return str(self.description["distance"])

    @property
    def attributes(self) -> dict[str, list[str]]:
        """Attribute -> names of its values, in the order of the scores."""
        return dict(self.description.get("attributes", {}))

    @property
    def channels(self) -> int:
        return len(self.mean)

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str, *, path: Path) -> "Card":
        """Read what `to_json` wrote about ``path``.

        Raises:
            ValueError: damaged, or of another version of this program.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            if values.pop("format") != FORMAT:
                raise KeyError("format")
            for key in ("image_size", "mean", "std"):
                values[key] = tuple(values[key])
            for key in ("inputs", "shapes"):
                values[key] = {name: tuple(shape) for name, shape in values[key].items()}
            return cls(**values)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"what {path} says about itself cannot be read ({error}): export it again with task=export"
            ) from error

    def prepare(self, batch: Batch) -> Batch:
        """A loader's batch with ``image`` as the file takes it; as `loading.device.on_device` for networks.

        Guides come behind the image's channels. Files that normalise take them rounded to whole numbers.
        """
        image = batch["image"].float().permute(0, 3, 1, 2)  # (B, 3, H, W), 0..255
        if "guides" in batch:
            height, width = image.shape[2:]
            guides = lay_over(batch["guides"], batch["geometry"], height=height, width=width)
            image = torch.cat([image, guides], 1)
        if self.embedded:
            image = image.round().to(torch.uint8).permute(0, 2, 3, 1)  # (B, H, W, C)
        else:
            image = normalized(image, self.mean, self.std)
        rest = {name: value for name, value in batch.items() if name not in ("guides", "geometry")}
        return {**rest, "image": image.contiguous()}  # type: ignore[typeddict-item]


def normalized(planes: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(B, C, H, W) in 0..255 -> the same, less the mean and divided by the deviation of each plane."""
    mean_level = torch.tensor(mean, device=planes.device).mul(255)[:, None, None]
    deviation = torch.tensor(std, device=planes.device).mul(255)[:, None, None]
    return (planes - mean_level) / deviation


def beside(path: Path) -> Path:
    """Where the card of a file lies."""
    return path.with_name(f"{path.name}.json")


def read_card(path: Path) -> Card:
    """The card of an exported file, from inside it or from beside it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: neither has one.
    """
    card = find_card(path)
    if card is None:
        raise ValueError(
            f"{path} does not say what its input must look like, and {beside(path).name} is not beside it:"
            " export it with task=export, and keep both files together"
        )
    return card


def find_card(path: Path) -> Card | None:
    """The same; None for a file of another program. An OM file need not be there: atc makes it elsewhere."""
    if path.suffix == ".om" and beside(path).is_file():
        return Card.from_json(beside(path).read_text(), path=path)
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}: task=export writes them")
    text = within(path)
    if text is None and beside(path).is_file():
        text = beside(path).read_text()
    return None if text is None else Card.from_json(text, path=path)


def within(path: Path) -> str | None:
    """The text inside an ONNX or TorchScript file; None where there is none."""
    if path.suffix == ".onnx":
        from reid.deploy.runtimes import onnx_metadata

        return onnx_metadata(path).get(KEY)
    with suppress(zipfile.BadZipFile, EOFError), zipfile.ZipFile(path) as archive:  # its runtime says so
        for name in archive.namelist():
            if name.endswith(f"/extra/{KEY}.json"):
                return archive.read(name).decode()
    return None
