"""task=guides: what a PoseEstNet finds in every picture, as heatmaps and segments for MultiTaskNet."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from reid.datamodules.predicted import PredictedGuides
from reid.datasets.records import Record
from reid.loading.guides import write_guide_files, write_pack
from reid.loading.guides.source import place_of
from reid.tasks.build import build_datamodule, build_trainer, pose_finder
from reid.tasks.pack import check_vehicles
from reid.whole import write_whole

LISTS = {"train": "train", "query": "query", "test": "gallery"}  # set -> the benchmark's list


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
    finder = pose_finder(config, Path(config.checkpoint), said="checkpoint")
    datamodule = build_datamodule(config)
    check_vehicles(datamodule, task="guides")
    datamodule.prepare_data()
    datamodule.setup()
    lists: dict[str, Sequence[Record]] = {
        part: getattr(datamodule.benchmark, LISTS[part]) for part in options.splits
    }
    folders = {part: place_of(records[0]).folder for part, records in lists.items()}
    labels = {part: folder / f"label_{part}.csv" for part, folder in folders.items()}
    if options.labels and (there := [path for path in labels.values() if path.exists()]):
        raise ValueError(f"task.labels=true would replace {there[0]}: move it away, or set task.labels=false")
    finder.module.to(build_trainer(config, []).strategy.root_device)
    lines = []
    for part, records in lists.items():
        found = PredictedGuides(
            records,
            finder.module,
            size=finder.size,
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
