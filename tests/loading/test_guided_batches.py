"""Guides and keypoints go where the pixels go: moved, mirrored, laid over, normalised."""

from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import pytest
import torch

from reid.datasets import Record
from reid.datasets.keypoints import MIRRORED_KEYPOINTS
from reid.loading import ImageSet, Pipeline, RandomErasing, RandomTranslation
from reid.loading.device import lay_over, on_device
from reid.loading.guides.frame import UnsquaredGuides
from reid.loading.sampler import Draw

HEIGHT, WIDTH = 48, 64
GEOMETRIES = {
    "resize": [A.Resize(HEIGHT, WIDTH)],
    "flip, resize": [A.HorizontalFlip(p=1), A.Resize(HEIGHT, WIDTH)],
    "resize, flip": [A.Resize(HEIGHT, WIDTH), A.HorizontalFlip(p=1)],
    "both flips": [A.VerticalFlip(p=1), A.Resize(HEIGHT, WIDTH), A.HorizontalFlip(p=1)],
    "quarter turn": [A.Rotate((90, 90), p=1), A.Resize(HEIGHT, WIDTH)],
    "transposed": [A.Transpose(p=1), A.Resize(HEIGHT, WIDTH)],
    "window": [RandomTranslation(HEIGHT, WIDTH, probability=1.0), A.HorizontalFlip(p=0.5)],
    "crop": [A.RandomCrop(60, 70, p=1), A.Resize(HEIGHT, WIDTH), A.GaussNoise(std_range=(0, 0.001))],
    "one of": [A.OneOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], p=1), A.Resize(HEIGHT, WIDTH)],
    "rotated": [A.Resize(HEIGHT, WIDTH), A.Affine(rotate=(20, 20), scale=(0.8, 0.8), p=1)],
}


def scene(height: int = 90, width: int = 110) -> np.ndarray:
    """Smooth, and different everywhere."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 8), None, 20, 235, cv2.NORM_MINMAX)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_planes_laid_over_an_image_are_its_own_channels(name: str, seed: int) -> None:
    """The image itself as its guide: laid over, it must be the transformed image again."""
    image = scene()
    pipeline = Pipeline(GEOMETRIES[name], size=(HEIGHT, WIDTH))
    moved = pipeline.move([image], np.zeros((1, 0, 2), np.float32), seed=seed)
    planes = torch.from_numpy(image).permute(2, 0, 1)[None]
    laid = lay_over(planes, torch.from_numpy(moved.geometry), height=HEIGHT, width=WIDTH)[0]
    wanted = torch.from_numpy(moved.images[0]).permute(2, 0, 1).float()
    off = (laid - wanted).abs()
    if name == "rotated":  # its edge is interpolated with black on one side only
        off = off[:, (laid > 0).all(0) & (wanted > 0).all(0)]
        assert off.median() < 3  # to half a pixel, by albumentations' own rule
    else:
        assert off.max() < 3
    assert moved.sizes.tolist() == [[110, 90]]


def test_a_half_pixel_would_show() -> None:
    image = scene()
    moved = Pipeline([A.Resize(HEIGHT, WIDTH)], size=(HEIGHT, WIDTH)).move(
        [image], np.zeros((1, 0, 2), np.float32), seed=1
    )
    geometry = torch.from_numpy(moved.geometry)
    geometry[:, 0, 2] += 1 / WIDTH
    laid = lay_over(torch.from_numpy(image).permute(2, 0, 1)[None], geometry, height=HEIGHT, width=WIDTH)[0]
    off = (laid - torch.from_numpy(moved.images[0]).permute(2, 0, 1)).abs()
    assert off[:, :, :-1].max() > 4


def test_points_are_scaled_and_mirrored_as_published() -> None:
    """x W / w, then W - x - 1; y H / h."""
    points = np.array([[(0, 0), (55, 30), (110, 90), (-20, 120)]], np.float32)
    pipeline = Pipeline([RandomTranslation(256, 256, probability=0), A.HorizontalFlip(p=1)], size=(256, 256))
    moved = pipeline.move([scene()], points, seed=0)
    np.testing.assert_allclose(moved.points[0, :, 0], 255 - points[0, :, 0] * 256 / 110, atol=1e-3)
    np.testing.assert_allclose(moved.points[0, :, 1], points[0, :, 1] * 256 / 90, atol=1e-3)


def test_the_same_seed_moves_images_as_without_points() -> None:
    images = [scene(), scene(80, 100)]
    pipeline = Pipeline(
        [A.HorizontalFlip(p=0.5), RandomTranslation(HEIGHT, WIDTH), RandomErasing()], size=(HEIGHT, WIDTH)
    )
    for seed in range(6):
        plain = pipeline(images, 2, seed=seed)
        moved = pipeline.move(images, np.zeros((2, 1, 2), np.float32), seed=seed)
        np.testing.assert_array_equal(plain, moved.images)


def test_what_bends_images_is_refused() -> None:
    bent = Pipeline([A.Perspective(scale=(0.2, 0.2), p=1), A.Resize(HEIGHT, WIDTH)], size=(HEIGHT, WIDTH))
    with pytest.raises(ValueError, match=r"affine transforms only.*take perspective"):
        bent.move([scene()], np.zeros((1, 0, 2), np.float32), seed=0)


class Planes:
    """A source whose planes are told apart by their gray level."""

    def __init__(self, channels: int) -> None:
        self.channels = channels

    def __call__(self, rows: list[int], sizes: np.ndarray) -> np.ndarray:
        levels = np.arange(self.channels, dtype=np.uint8)[None, :, None, None]
        return np.broadcast_to(levels, (len(rows), self.channels, 64, 64)).copy()


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    rng = np.random.default_rng(3)
    listed = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), scene(60 + number, 80))
        points = np.concatenate([rng.uniform(-10, 90, (36, 2)), rng.uniform(0, 1.1, (36, 1))], 1)
        listed.append(Record(path, number, 0, keypoints=points.astype(np.float32)))
    return listed


def images(records: list[Record], *transforms: object, channels: int = 49, swap: bool = True) -> ImageSet:
    pipeline = Pipeline([A.Resize(HEIGHT, WIDTH), *transforms], size=(HEIGHT, WIDTH))
    return ImageSet(records, pipeline, keypoints=True, guides=Planes(channels), flip_swap=swap)


def test_the_keypoint_vector_is_the_published_one(records: list[Record]) -> None:
    batch = images(records).__getitems__(Draw([2, 0], 1))
    for place, row in enumerate((2, 0)):
        points = records[row].keypoints
        wanted = points / np.array([80, 60 + row, 1], np.float32) - 0.5
        np.testing.assert_allclose(batch["keypoints"][place], wanted, atol=1e-5)


@pytest.mark.parametrize("swap", [True, False])
def test_a_mirrored_vehicle_shows_its_other_side(records: list[Record], swap: bool) -> None:
    straight = images(records, swap=swap).__getitems__(Draw([0, 1], 1))
    mirrored = images(records, A.HorizontalFlip(p=1), swap=swap).__getitems__(Draw([0, 1], 1))
    order = list(MIRRORED_KEYPOINTS) if swap else list(range(36))
    wanted = straight["keypoints"][:, order].clone()
    wanted[..., 0] = -wanted[..., 0] - 1 / WIDTH  # W - 1 - x, as shares less a half
    torch.testing.assert_close(mirrored["keypoints"], wanted)
    levels = mirrored["guides"][0, :, 0, 0].tolist()
    swapped = [(k + 18) % 36 for k in range(36)] + [
        36 + s for s in (3, 4, 5, 0, 1, 2, 6, 7, 8, 9, 10, 11, 12)
    ]
    assert levels == (swapped if swap else list(range(49)))


def test_a_batch_on_the_device_has_all_channels_normalised(records: list[Record]) -> None:
    batch = images(records, A.HorizontalFlip(p=0.5)).__getitems__(Draw([0, 1, 2, 3], 5))
    assert batch["image"].dtype == batch["guides"].dtype == torch.uint8
    done = on_device(batch)
    assert done["image"].shape == (4, 52, HEIGHT, WIDTH)
    assert "guides" not in done
    assert "geometry" not in done
    mean, std = (0.485 + 0.456 + 0.406) / 3, (0.229 + 0.224 + 0.225) / 3
    wanted = (batch["guides"][:, :, :1, :1] / 255 - mean) / std
    torch.testing.assert_close(done["image"][:, 3:], wanted.expand(-1, -1, HEIGHT, WIDTH), atol=1e-4, rtol=0)
    red = (batch["image"][..., 0] / 255 - 0.485) / 0.229
    torch.testing.assert_close(done["image"][:, 0], red, atol=1e-5, rtol=1e-5)


def test_records_without_keypoints_are_named(records: list[Record]) -> None:
    bare = [*records[:3], Record(records[3].path, 3, 0)]
    with pytest.raises(ValueError, match=r"1 of 4 images have no keypoints, the first is .*3\.png"):
        ImageSet(bare, Pipeline([], size=(1, 1)), keypoints=True)


def test_heatmaps_of_the_square_are_cut_to_the_image() -> None:
    """PoseEstNet sees a square of 1.25 times the longer side: a wide image fills 0.8 of it across."""

    class Square:
        channels = 36

        def __call__(self, rows: list[int], sizes: np.ndarray) -> np.ndarray:
            planes = np.zeros((len(rows), 36, 64, 64), np.uint8)
            share = sizes[0] / (1.25 * sizes[0].max())
            u, v = (64 * ((np.array([0.25, 0.75]) - 0.5) * share + 0.5) - 0.5).round().astype(int)
            planes[:, :, v - 1 : v + 2, u - 1 : u + 2] = 255
            return planes

    sizes = np.array([[200, 100]])
    own = UnsquaredGuides(Square())([0], sizes)[0, 0].astype(float)
    down, across = np.mgrid[:64, :64]
    assert abs((own * across).sum() / own.sum() - (0.25 * 64 - 0.5)) < 1
    assert abs((own * down).sum() / own.sum() - (0.75 * 64 - 0.5)) < 1.5
