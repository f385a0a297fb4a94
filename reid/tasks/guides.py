"""task=guides: what a PoseEstNet finds in every picture, as heatmaps and segments for MultiTaskNet."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from omegaconf import DictConfig
from torch import Tensor
from tqdm import tqdm

from reid.checkpoint import read_checkpoint
from reid.datasets.records import Record
from reid.loading import read_image
from reid.loading.device import normalize
from reid.loading.guides import DrawnGuides, write_guide_files, write_pack
from reid.loading.guides.source import SIDE, in_batches, place_of
from reid.loading.pose import Change, crop_matrix
from reid.loading.transforms import Pixels
from reid.modules import PoseModule
from reid.networks.pose import STRIDE
from reid.tasks.build import build_datamodule, build_trainer, trained_module
from reid.whole import write_whole

LISTS = {"train": "train", "query": "query", "test": "gallery"}  # set -> the benchmark's list
Frame = Literal["image", "square"]


def guides(config: DictConfig) -> None:
    """Write guides of ``task.splits``, and ``pose_<set>.csv`` beside them; say where.

    Packs and files go on where they were interrupted. ``pose_<set>.csv`` has no header and 109 columns: name
    and 36 x (x, y, confidence) in pixels of the picture.

    Raises:
        ValueError: no checkpoint of a PoseEstNet, an option out of range, or a label file that is there.
    """
    options = config.task
    if config.checkpoint is None:
        raise ValueError("task=guides needs checkpoint=PATH of a PoseEstNet: train one with model=pose")
    for key, allowed in (("format", ("pack", "files")), ("frame", ("image", "square"))):
        if options[key] not in allowed:
            raise ValueError(f"task.{key}={options[key]}: use {' or '.join(allowed)}")
    if unknown := [part for part in options.splits if part not in LISTS]:
        raise ValueError(f"task.splits={list(options.splits)}: {unknown[0]} is none of {', '.join(LISTS)}")
    checkpoint = read_checkpoint(Path(config.checkpoint))
    module = trained_module(checkpoint, config)
    if not isinstance(module, PoseModule):
        raise ValueError(
            f"checkpoint={config.checkpoint} is of {checkpoint['reid']['model'].get('name')}, which finds no"
            " keypoints: train one with model=pose"
        )
    datamodule = build_datamodule(config)
    datamodule.prepare_data()
    datamodule.setup()
    lists: dict[str, Sequence[Record]] = {
        part: getattr(datamodule.benchmark, LISTS[part], ()) for part in options.splits
    }
    if not all(lists.values()):
        raise ValueError(f"task=guides is for data=veri and data=vehicles, not for data={datamodule.name}")
    folders = {part: place_of(records[0]).folder for part, records in lists.items()}
    labels = {part: folder / f"label_{part}.csv" for part, folder in folders.items()}
    if options.labels and (there := [path for path in labels.values() if path.exists()]):
        raise ValueError(f"task.labels=true would replace {there[0]}: move it away, or set task.labels=false")
    module.to(build_trainer(config, []).strategy.root_device).eval()
    lines = []
    for part, records in lists.items():
        found = PredictedGuides(
            records,
            module,
            size=checkpoint["reid"]["image_size"],
            heatmap=options.heatmap,
            segment=options.segment,
            frame=options.frame,
        )
        where = write(found, records, folders[part] / f"guides_{part}.h5", options=options)
        keypoints = found.all_keypoints()
        write_lines(folders[part] / f"pose_{part}.csv", pose_lines(records, keypoints))
        if options.labels:
            write_lines(labels[part], label_lines(records, keypoints))
        lines.append(f"{where}, {folders[part] / f'pose_{part}.csv'}: {len(records):,} pictures")
    sys.stdout.write("\n".join([*lines, f"read them with data.guides={options.format}\n"]))


class PredictedGuides:
    """Planes of rows of a list of records, as `write_pack` and `write_guide_files` ask for them.

    Heat maps are the network's, cut to the image's own frame, times 255; segments lie between the keypoints
    that are read from them, ungated.

    Args:
        records: any of VeRi's.
        module: on its device, in evaluation mode.
        size: (height, width) in pixels that it was trained on.
        heatmap, segment: which kinds.
        frame: "image"; or "square" for heat maps of the whole square that the network sees, as PAMTRI
            publishes them.
        read: the image of a record, (h, w, 3) uint8.
    """

    def __init__(
        self,
        records: Sequence[Record],
        module: PoseModule,
        *,
        size: Sequence[int],
        heatmap: bool = True,
        segment: bool = True,
        frame: Frame = "image",
        read: Callable[[Record], Pixels] = read_image,
    ) -> None:
        self.records, self.module, self.read = records, module, read
        self.size = (int(size[0]), int(size[1]))
        self.heatmap, self.segment, self.frame = heatmap, segment, frame
        self.keypoints: dict[int, NDArray[np.float32]] = {}  # row -> (36, 3) in pixels of the picture

    def __call__(self, rows: Sequence[int]) -> Pixels:
        """n rows -> (n, channels, 64, 64)."""
        heatmaps, there, sizes = self.predict(rows)
        planes = []
        if self.heatmap:
            maps = in_image(heatmaps, there, sizes) if self.frame == "image" else in_square(heatmaps)
            planes.append(maps.mul(255).clamp(0, 255).to(torch.uint8).cpu().numpy())
        if self.segment:
            posed = [replace(self.records[row], keypoints=self.keypoints[row]) for row in rows]
            drawn = DrawnGuides(posed, heatmap=False, segment=True, confidence=0)
            planes.append(drawn(range(len(rows)), sizes))
        return np.concatenate(planes, axis=1)

    @torch.inference_mode()
    def predict(self, rows: Sequence[int]) -> tuple[Tensor, NDArray[np.float64], NDArray[np.int64]]:
        """Keep the rows' keypoints.

        Returns:
            Heat maps (n, 36, h, w); (n, 2, 3) from pixels of pictures to those of what the network saw; and
            (n, 2) widths and heights of the pictures.
        """
        images = np.empty((len(rows), *self.size, 3), np.uint8)
        there = np.empty((len(rows), 2, 3))
        sizes = np.empty((len(rows), 2), np.int64)
        for place, row in enumerate(rows):
            picture = self.read(self.records[row])
            sizes[place] = picture.shape[1], picture.shape[0]
            there[place] = crop_matrix((picture.shape[1], picture.shape[0]), Change(), size=self.size)
            cv2.warpAffine(picture, there[place], self.size[::-1], images[place], flags=cv2.INTER_LINEAR)
        device = self.module.device
        heatmaps = self.module.heatmaps(normalize(torch.from_numpy(images).to(device)))
        back = torch.from_numpy(np.stack([cv2.invertAffineTransform(each) for each in there])).float()
        found = self.module.keypoints(heatmaps, back.to(device)).cpu().numpy()
        self.keypoints |= dict(zip(rows, found, strict=True))
        return heatmaps, there, sizes

    def all_keypoints(self) -> NDArray[np.float32]:
        """(N, 36, 3) of the whole list; those that an earlier run had written planes of are found again."""
        rest = [row for row in range(len(self.records)) if row not in self.keypoints]
        with tqdm(total=len(rest), desc="finding keypoints", disable=None, leave=False) as bar:
            for rows in in_batches(rest):
                self.predict(rows)
                bar.update(len(rows))
        return np.stack([self.keypoints[row] for row in range(len(self.records))])


def in_image(heatmaps: Tensor, there: NDArray[np.float64], sizes: NDArray[np.int64]) -> Tensor:
    """(n, K, h, w) -> (n, K, 64, 64): what of heat maps lies on the pictures, in 64 by 64 shares of them.

    Args:
        heatmaps: whose pixel x lies on pixel 4 x of what the network saw.
        there: (n, 2, 3) from pixels of the pictures to those of what the network saw.
        sizes: (n, 2) widths and heights of the pictures.
    """
    height, width = heatmaps.shape[2:]
    shares = (np.arange(SIDE) + 0.5) / SIDE
    across = shares * sizes[:, :1] - 0.5  # (n, 64) pixels of the pictures
    down = shares * sizes[:, 1:] - 0.5
    x, y = np.broadcast_arrays(across[:, None, :], down[:, :, None])  # (n, 64, 64)
    places = np.einsum("nij,njhw->nhwi", there[:, :, :2], np.stack([x, y], 1)) + there[:, None, None, :, 2]
    ends = (2 * places / STRIDE + 1) / (width, height) - 1
    return F.grid_sample(heatmaps, torch.from_numpy(ends).to(heatmaps), align_corners=False)


def in_square(heatmaps: Tensor) -> Tensor:
    """(n, K, h, w) -> (n, K, 64, 64), which PAMTRI's images of 256 x 256 give by themselves."""
    if heatmaps.shape[2:] == (SIDE, SIDE):
        return heatmaps
    return F.interpolate(heatmaps, size=(SIDE, SIDE), mode="bilinear")


def write(found: PredictedGuides, records: Sequence[Record], pack: Path, *, options: Any) -> Path:
    """Write a set's guides; where they lie."""
    kinds = {"heatmap": bool(options.heatmap), "segment": bool(options.segment)}
    if options.format == "files":
        write_guide_files(records, found, **kinds)
        return pack.parent
    names = [record.path.name for record in records]
    source = f"pose, {options.frame}"
    write_pack(pack, names, planes=found, source=source, compression=options.compression, **kinds)
    return pack


def pose_lines(records: Sequence[Record], keypoints: NDArray[np.float32]) -> Iterable[str]:
    """Name and 36 x (x, y, confidence)."""
    for record, points in zip(records, keypoints, strict=True):
        yield ",".join((record.path.name, *(f"{value:.3f}" for value in points.reshape(-1))))


def label_lines(records: Sequence[Record], keypoints: NDArray[np.float32]) -> Iterable[str]:
    """Name, vehicle, colour and type, which are numbered from 1, and 36 x (x, y, confidence)."""
    for record, points in zip(records, keypoints, strict=True):
        facts = (record.identity, record.attributes["color"] + 1, record.attributes["type"] + 1)
        values = (f"{value:.3f}" for value in points.reshape(-1))
        yield ",".join((record.path.name, *map(str, facts), *values))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write all of it or nothing."""
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())
