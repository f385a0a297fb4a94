"""task=pack: heatmaps and segments of a benchmark's pictures into one file a set, for data.guides=pack."""

import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from reid.datamodules import PictureDataModule, UnionDataModule, VeRiDataModule
from reid.datamodules.reid import SOURCES
from reid.datasets import Record
from reid.datasets.records import PARTS
from reid.loading import planes_of
from reid.loading.guides import write_pack
from reid.loading.guides.source import place_of
from reid.tasks.build import build_datamodule


def pack(config: DictConfig) -> None:
    """Write ``guides_<set>.h5`` beside the folders of images, from ``data.guides=files`` or ``keypoints``.

    A pack that is there is replaced when the new one is whole; an interrupted task goes on where it stopped.

    Raises:
        ValueError: nothing to pack from, or a benchmark without guides.
    """
    source, options = config.data.guides, config.task
    if source not in SOURCES or source == "pack":
        raise ValueError(
            f"data.guides={source}: task=pack writes packs from data.guides=files or keypoints, task=guides"
            " those of a PoseEstNet"
        )
    datamodule = build_datamodule(config)
    check_vehicles(datamodule, task="pack")
    datamodule.prepare_data()
    datamodule.setup()
    assert datamodule.benchmark is not None
    written: dict[Path, int] = {}
    for part in PARTS:
        records = getattr(datamodule.benchmark, part)
        for path, own in by_pack(records).items():
            guides = SOURCES[source](  # ungated: whether a segment shows is decided when it is loaded
                own, heatmap=options.heatmap, segment=options.segment, confidence=0
            )
            write_pack(
                path,
                [record.path.name for record in own],
                planes=planes_of(own, guides),
                heatmap=options.heatmap,
                segment=options.segment,
                source=source,
                compression=options.compression,
            )
            written[path] = len(own)
    lines = [
        f"{path}: {count:,} pictures, {path.stat().st_size / 1e6:,.1f} MB" for path, count in written.items()
    ]
    sys.stdout.write("\n".join([*lines, "read them with data.guides=pack\n"]))


def check_vehicles(datamodule: PictureDataModule, *, task: str) -> None:
    """Refuse a benchmark other than VeRi, in whose layout guides lie beside the images, and unions of it.

    Raises:
        ValueError: with its name.
    """
    members = datamodule.of if isinstance(datamodule, UnionDataModule) else [datamodule]
    if not all(isinstance(each, VeRiDataModule) for each in members):
        raise ValueError(f"task={task} is for data=veri and data=vehicles, not for data={datamodule.name}")


def by_pack(records: Sequence[Record]) -> dict[Path, list[Record]]:
    """The records of each pack, in order."""
    packs: dict[Path, list[Record]] = {}
    for record in records:
        packs.setdefault(place_of(record).pack, []).append(record)
    return packs
