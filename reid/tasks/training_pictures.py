"""Some training images as the network sees them: augmented, with their keypoints, heatmaps and segments."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from reid.datamodules import PictureDataModule, ReIDDataModule, VeRiPoseDataModule
from reid.datasets.records import Record
from reid.loading.device import lay_over
from reid.loading.sampler import Draw
from reid.loading.transforms import Pixels
from reid.plots import GuidedImage, plot_guides
from reid.tasks.poses import named

SHOWN = 5  # images, spread over the training list


def draw_training(datamodule: PictureDataModule, path: Path) -> None:
    """What ``data.heatmap``, ``segment`` and ``keypoints`` put beside images; nothing where all are off.

    Of marked keypoints, the heat maps that a network is to draw.
    """
    guides = ("heatmap", "segment", "keypoints")
    if isinstance(datamodule, ReIDDataModule) and not any(getattr(datamodule, name) for name in guides):
        return
    datamodule.prepare_data()
    datamodule.setup()
    if isinstance(datamodule, ReIDDataModule):
        plot_guides(guided(datamodule), path, title=f"{datamodule.name}: what guides the network")
    elif isinstance(datamodule, VeRiPoseDataModule):
        plot_guides(taught(datamodule), path, title=f"{datamodule.name}: what the network is taught")


def shown(datamodule: VeRiPoseDataModule | ReIDDataModule) -> tuple[dict[int, Record], dict[str, Any]]:
    """Row -> record of training images spread over the list, and their batch, augmented by the run's seed."""
    records = datamodule.train_records
    rows = np.linspace(0, len(records) - 1, min(SHOWN, len(records))).round().astype(int).tolist()
    chosen = {row: records[row] for row in rows}
    images = datamodule.images(list(chosen.values()), "train")
    return chosen, dict(images.__getitems__(Draw(list(range(len(rows))), seed=datamodule.seed)))


def taught(datamodule: VeRiPoseDataModule) -> list[GuidedImage]:
    """The keypoints that are marked, and the heat maps to be drawn."""
    chosen, batch = shown(datamodule)
    target = datamodule.with_targets(batch)["target"]  # type: ignore[arg-type]
    planes = quantized(255 * F.interpolate(target, size=datamodule.image_size, mode="bilinear"))
    return [
        GuidedImage(
            image=batch["image"][place].numpy(),
            keypoints=batch["points"][place].numpy(),
            heatmaps=planes[place],
            title=f"image {row}\n{named(record)}",
        )
        for place, (row, record) in enumerate(chosen.items())
    ]


def guided(datamodule: ReIDDataModule) -> list[GuidedImage]:
    """The keypoints and guides that are on."""
    chosen, batch = shown(datamodule)
    height, width = datamodule.image_size
    planes: Pixels | None = None
    keypoints: NDArray[np.float32] | None = None
    if "guides" in batch:
        planes = quantized(lay_over(batch["guides"], batch["geometry"], height=height, width=width))
    if "keypoints" in batch:
        keypoints = (batch["keypoints"] + 0.5).numpy() * np.array([width, height, 1], np.float32)
    heatmaps = 36 * datamodule.heatmap
    return [
        GuidedImage(
            image=batch["image"][place].numpy(),
            keypoints=None if keypoints is None else keypoints[place],
            heatmaps=planes[place, :heatmaps] if planes is not None and datamodule.heatmap else None,
            segments=planes[place, heatmaps:] if planes is not None and datamodule.segment else None,
            title=f"image {row}\nidentity {record.identity}",
        )
        for place, (row, record) in enumerate(chosen.items())
    ]


def quantized(planes: torch.Tensor) -> Pixels:
    """Gray levels 0 to 255 as bytes."""
    levels: Pixels = planes.round().to(torch.uint8).numpy()
    return levels
