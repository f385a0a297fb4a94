"""Heat maps to be drawn, beside the published loop over pixels."""

from math import exp, floor

import pytest
import torch
from torch import Tensor

from reid.loading.targets import draw_targets


def slow_targets(points: Tensor, *, height: int, width: int, sigma: float) -> tuple[Tensor, Tensor]:
    count, keypoints = points.shape[:2]
    heatmaps, weight = torch.zeros(count, keypoints, height, width), torch.zeros(count, keypoints)
    radius = int(3 * sigma)
    for b in range(count):
        for k in range(keypoints):
            x, y, visibility = points[b, k].tolist()
            if visibility <= 0.5:
                continue
            cx, cy = floor(x / 4 + 0.5), floor(y / 4 + 0.5)
            for j in range(cy - radius, cy + radius + 1):
                for i in range(cx - radius, cx + radius + 1):
                    if 0 <= i < width and 0 <= j < height:
                        heatmaps[b, k, j, i] = exp(-((i - cx) ** 2 + (j - cy) ** 2) / (2 * sigma**2))
                        weight[b, k] = 1
    return heatmaps, weight


@pytest.mark.parametrize(("height", "width", "sigma"), [(64, 64, 2.0), (16, 24, 2.0), (24, 24, 1.5)])
def test_beside_the_loop(height: int, width: int, sigma: float) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(3, 36, 3, generator=generator)
    points[..., 0] = points[..., 0] * 8 * width - 2 * width  # well beyond the edges too
    points[..., 1] = points[..., 1] * 8 * height - 2 * height
    points[..., 2] = points[..., 2].round()
    heatmaps, weight = draw_targets(points, height=height, width=width, sigma=sigma)
    expected, known = slow_targets(points, height=height, width=width, sigma=sigma)
    torch.testing.assert_close(heatmaps, expected, atol=1e-6, rtol=0)
    assert torch.equal(weight, known)
    assert 0 < weight.sum() < weight.numel()


def test_what_is_invisible_is_ignored_or_taught_to_be_black() -> None:
    points = torch.tensor([[[20.0, 20.0, 1.0], [20.0, 20.0, 0.0]]])
    published, black = (
        draw_targets(points, height=16, width=16, invisible_weight=weight) for weight in (0.0, 0.25)
    )
    assert torch.equal(published.heatmaps, black.heatmaps)
    assert not black.heatmaps[0, 1].any()
    assert published.weight.tolist() == [[1, 0]]
    assert black.weight.tolist() == [[1, 0.25]]


def test_a_keypoint_beside_the_map() -> None:
    """Its window of 6 still shows at -6 and w + 5, no more at -7 and w + 6; halves are rounded up."""
    x = torch.tensor([-24.0, -28.0, 4 * 69.0, 4 * 70.0, 101.9, 102.0])
    points = torch.stack([x, torch.full((6,), 80.0), torch.ones(6)], 1)[None]
    heatmaps, weight = draw_targets(points, height=64, width=64)
    assert weight[0].tolist() == [1, 0, 1, 0, 1, 1]
    assert heatmaps[0, 0, 20, 0] == pytest.approx(exp(-36 / 8))
    assert [int(heatmaps[0, k].argmax()) for k in (4, 5)] == [20 * 64 + 25, 20 * 64 + 26]
    assert heatmaps.max() == 1
