"""PoseEstNet: the shared loop, with heat maps that are read as keypoints."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from reid.contracts import PoseBatch
from reid.datasets.keypoints import MIRRORED_KEYPOINTS
from reid.evaluation.heatmaps import READINGS, Reading, read_heatmaps, to_pictures, with_mirrored
from reid.modules.taught import TaughtModule
from reid.networks.pose import STRIDE


class PoseModule(TaughtModule):
    """Keypoints of vehicles (Tang et al., "PAMTRI", ICCV 2019).

    Args:
        network: images (B, 3, H, W) -> heat maps (B, 36, H / 4, W / 4).
        reading: how a map becomes a place; see `read_heatmaps`.
        flip_test: average the maps of each picture and of its mirror image, which takes twice the time.
        flip_shift: move the mirrored maps by a pixel, as published.
        settings: the others are those of `TaughtModule`.

    Raises:
        ValueError: an unknown reading.
    """

    def __init__(
        self,
        network: nn.Module,
        losses: Mapping[str, Callable[..., Tensor]],
        *,
        reading: Reading = "quarter",
        flip_test: bool = True,
        flip_shift: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(network, losses, **settings)
        if reading not in READINGS:
            raise ValueError(f"model.reading={reading!r}: use {', '.join(READINGS[:-1])} or {READINGS[-1]}")
        self.reading = reading
        self.flip_test = flip_test
        self.flip_shift = flip_shift

    def heatmaps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 36, H / 4, W / 4) float32, as they are read: with those of mirror images.

        Exported files that normalise take (B, H, W, 3) uint8.
        """
        drawn: Tensor = self(image).float()
        if not self.flip_test:
            return drawn
        mirrored = self(image.flip(2 if image.dtype == torch.uint8 else 3)).float()
        return with_mirrored(drawn, mirrored, pairs=MIRRORED_KEYPOINTS, shift=self.flip_shift)

    def keypoints(self, heatmaps: Tensor, geometry: Tensor) -> Tensor:
        """(B, 36, 3) x, y in pixels of the pictures, and confidence, which is at times above 1.

        Args:
            heatmaps: (B, 36, h, w).
            geometry: (B, 2, 3), from pixels of the images to those of the pictures they were cut from.
        """
        found = read_heatmaps(heatmaps, reading=self.reading)
        found[..., :2] *= STRIDE
        return to_pictures(found, geometry)

    def validation_step(self, batch: PoseBatch, batch_idx: int) -> Tensor:  # type: ignore[override]
        return self.keypoints(self.heatmaps(batch["image"]), batch["geometry"])
