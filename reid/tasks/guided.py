"""Some training images as the network sees them: augmented, with their keypoints, heatmaps and segments."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from reid.datamodules import PictureDataModule, ReIDDataModule, VeRiPoseDataModule
from reid.loading.device import lay_over
from reid.loading.sampler import Draw
from reid.loading.transforms import Pixels
from reid.plots import GuidedImage, plot_guides
from reid.tasks.poses import draw_targets

SHOWN = 5  # images, spread over the training list


def draw_guides(datamodule: PictureDataModule, path: Path) -> None:
    """What ``data.heatmap``, ``segment`` and ``keypoints`` put beside images; nothing where all are off.

    Of marked keypoints, the heat maps that a network is to draw.
    """
    if isinstance(datamodule, VeRiPoseDataModule):
        draw_targets(datamodule, path)
        return
    assert isinstance(datamodule, ReIDDataModule)
    if datamodule.heatmap or datamodule.segment or datamodule.keypoints:
        datamodule.prepare_data()
        datamodule.setup()
        plot_guides(guided_images(datamodule), path, title=f"{datamodule.name}: what guides the network")


def guided_images(datamodule: ReIDDataModule) -> list[GuidedImage]:
    """Training images spread over the list, augmented by the run's seed."""
    records = datamodule.train_records
    rows = np.linspace(0, len(records) - 1, min(SHOWN, len(records))).round().astype(int).tolist()
    shown = [records[row] for row in rows]
    images = datamodule.images(shown, "train")
    batch = images.__getitems__(Draw(list(range(len(shown))), seed=datamodule.seed))
    height, width = datamodule.image_size
    planes: Pixels | None = None
    keypoints: NDArray[np.float32] | None = None
    if "guides" in batch:
        laid = lay_over(batch["guides"], batch["geometry"], height=height, width=width)
        planes = laid.round().to(torch.uint8).numpy()
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
        for place, (row, record) in enumerate(zip(rows, shown, strict=True))
    ]
