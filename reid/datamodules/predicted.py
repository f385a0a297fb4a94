"""What a PoseEstNet finds in every picture of a list: heat maps, segments, keypoints."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from reid.datasets.records import Record
from reid.loading import read_image
from reid.loading.device import normalize
from reid.loading.guides import DrawnGuides, Guides, HeldGuides
from reid.loading.guides.source import SIDE, count_channels, hide_unsure, in_batches
from reid.loading.pose import Change, crop_matrix
from reid.loading.transforms import Pixels
from reid.modules import PoseModule
from reid.networks.pose import STRIDE

DECIMALS = 3  # of keypoints, as tables have them: so both ways to train on them are one
Frame = Literal["image", "square"]


@dataclass(frozen=True)
class PoseFinder:
    """A frozen PoseEstNet, which gives a list of records what its annotations would.

    Args:
        module: in evaluation mode.
        size: (height, width) in pixels of the images that it was trained on.
    """

    module: PoseModule
    size: tuple[int, int]

    def __call__(
        self,
        records: Sequence[Record],
        *,
        heatmap: bool,
        segment: bool,
        confidence: float,
        device: torch.device,
    ) -> tuple[list[Record], Guides | None]:
        """Look at every picture once, on ``device``.

        Args:
            records: any of VeRi's; their own keypoints are not looked at.
            heatmap, segment: which kinds of guides to hold.
            confidence: of all four keypoints of a segment that is seen; 0 shows all.

        Returns:
            The records with the keypoints that were found, and the guides, if any kind is on.
        """
        found = PredictedGuides(records, self.module, size=self.size, heatmap=heatmap, segment=segment)

        def seen(rows: Sequence[int]) -> Pixels:
            planes = found(rows)
            if segment:
                hide_unsure(planes, found.posed(rows), confidence=confidence)
            return planes

        self.module.to(device)
        guides: Guides | None = None
        if heatmap or segment:
            channels = count_channels(heatmap=heatmap, segment=segment)
            guides = HeldGuides(len(records), seen, channels=channels)
        found.all_keypoints()
        self.module.to("cpu")
        return found.posed(range(len(records))), guides


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
            drawn = DrawnGuides(self.posed(rows), heatmap=False, segment=True, confidence=0)
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
        rounded = np.round(found.astype(np.float64), DECIMALS).astype(np.float32)
        self.keypoints |= dict(zip(rows, rounded, strict=True))
        return heatmaps, there, sizes

    def posed(self, rows: Sequence[int]) -> list[Record]:
        """Records of rows, with the keypoints that were found."""
        return [replace(self.records[row], keypoints=self.keypoints[row]) for row in rows]

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
