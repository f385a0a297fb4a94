"""Reading heat maps beside the published loop over maps; mirrored maps; the way back to a picture."""

from math import exp

import numpy as np
import pytest
import torch
from torch import Tensor

from reid.datasets.keypoints import MIRRORED_KEYPOINTS
from reid.evaluation.heatmaps import read_heatmaps, to_pictures, with_mirrored


def slow_reading(heatmaps: Tensor) -> np.ndarray:
    """Argmax, 0 where nothing is positive, and a quarter of a pixel where 1 < x < w - 1 and 1 < y < h - 1."""
    count, keypoints, height, width = heatmaps.shape
    found = np.zeros((count, keypoints, 3))
    for b in range(count):
        for k in range(keypoints):
            plane = heatmaps[b, k].numpy()
            y, x = divmod(int(plane.argmax()), width)
            found[b, k] = x, y, plane[y, x]
            if plane[y, x] <= 0:
                found[b, k, :2] = 0
            elif 1 < x < width - 1 and 1 < y < height - 1:
                found[b, k, 0] += 0.25 * np.sign(plane[y, x + 1] - plane[y, x - 1])
                found[b, k, 1] += 0.25 * np.sign(plane[y + 1, x] - plane[y - 1, x])
    return found


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 9), (64, 64)])
def test_the_published_reading(height: int, width: int) -> None:
    torch.manual_seed(0)
    heatmaps = torch.randn(4, 36, height, width)
    heatmaps[0, :4] = -heatmaps[0, :4].abs()
    heatmaps[0, 4] = 0
    found = read_heatmaps(heatmaps)
    assert found.numpy() == pytest.approx(slow_reading(heatmaps))
    plain = read_heatmaps(heatmaps, reading="argmax")
    assert (plain[..., :2] == plain[..., :2].round()).all()


def gaussian(x: float, y: float, *, size: int = 64, peak: float = 1.0) -> Tensor:
    grid = [[peak * exp(-((i - x) ** 2 + (j - y) ** 2) / 8) for i in range(size)] for j in range(size)]
    return torch.tensor(grid)[None, None]


@pytest.mark.parametrize(("x", "y"), [(20.0, 31.0), (20.4, 31.7), (40.5, 10.2), (1.3, 62.0)])
def test_the_soft_maximum_finds_fractions(x: float, y: float) -> None:
    soft = read_heatmaps(gaussian(x, y), reading="soft")[0, 0, :2]
    hard = read_heatmaps(gaussian(x, y), reading="argmax")[0, 0, :2]
    true = torch.tensor([x, y])
    assert (soft - true).abs().max() < 0.15
    assert (soft - true).norm() <= (hard - true).norm() + 0.01


def test_confidence_is_the_maximum() -> None:
    assert read_heatmaps(gaussian(20, 20, peak=1.07), reading="soft")[0, 0, 2].item() == pytest.approx(1.07)


def test_mirrored_maps_are_turned_swapped_and_moved() -> None:
    heatmaps, mirrored = torch.zeros(1, 36, 4, 6), torch.zeros(1, 36, 4, 6)
    heatmaps[0, 2, 1, 4] = 1.0  # left keypoint 2 at column 4
    mirrored[0, 20, 1, 2] = 0.5  # in the mirror the right one, at column 6 - 1 - 4 + 1
    both = with_mirrored(heatmaps, mirrored, pairs=MIRRORED_KEYPOINTS)
    assert both[0, 2, 1].tolist() == [0, 0, 0, 0, 0.75, 0]
    still = with_mirrored(heatmaps, mirrored, pairs=MIRRORED_KEYPOINTS, shift=False)
    assert still[0, 2, 1].tolist() == [0, 0, 0, 0.25, 0.5, 0]
    mirrored = torch.zeros(1, 36, 4, 6)
    mirrored[0, 20, 1, 5] = 1.0  # the first column keeps its value, and the second gets it
    both = with_mirrored(heatmaps * 0, mirrored, pairs=MIRRORED_KEYPOINTS)
    assert both[0, 2, 1].tolist() == [0.5, 0.5, 0, 0, 0, 0]


def test_the_way_back() -> None:
    keypoints = torch.tensor([[[2.0, 3.0, 0.9]], [[2.0, 3.0, 0.1]]])
    geometry = torch.tensor([[[2.0, 0, 1], [0, 4, -1]], [[0.0, 1, 0], [-1, 0, 0]]])
    assert to_pictures(keypoints, geometry).flatten(1) == pytest.approx(
        torch.tensor([[5.0, 11.0, 0.9], [3.0, -2.0, 0.1]])
    )


def test_an_unknown_reading() -> None:
    with pytest.raises(ValueError, match=r"model\.reading='best': use argmax, quarter or soft"):
        read_heatmaps(torch.zeros(1, 1, 4, 4), reading="best")  # type: ignore[arg-type]
