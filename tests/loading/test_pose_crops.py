"""Squares around pictures: keypoints stay on what they mark, whatever is drawn."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid.datasets.keypoints import KEYPOINTS
from reid.datasets.records import Record
from reid.loading.pose import Augmentation, Change, PoseSet, crop_matrix
from reid.loading.sampler import Draw

SIZE = (96, 96)
LEVELS = {3: 80, 10: 160, 30: 240}  # of a keypoint's dot


def moved(matrix: np.ndarray, x: float, y: float) -> tuple[float, float]:
    a, b = matrix @ (x, y, 1)
    return float(a), float(b)


def test_the_published_square() -> None:
    """A side of 1.25 times the longer one around the middle: (w / 2, h / 2) lies on (W / 2, H / 2)."""
    matrix = crop_matrix((200, 100), Change(), size=(256, 256))
    assert moved(matrix, 100, 50) == pytest.approx((128, 128))
    assert moved(matrix, 0, 0) == pytest.approx((128 - 100 * 256 / 250, 128 - 50 * 256 / 250))
    larger = crop_matrix((200, 100), Change(scale=1.25), size=(256, 256))
    assert moved(larger, 200, 50) == pytest.approx((128 + 100 * 256 / 250 / 1.25, 128))


def test_a_cut_that_is_no_square_keeps_shapes() -> None:
    matrix = crop_matrix((200, 100), Change(), size=(64, 128))
    assert moved(matrix, 100, 50) == pytest.approx((64, 32))
    assert matrix[0, 0] == matrix[1, 1] == pytest.approx(128 / 250)


def test_mirroring_in_pamtris_two_steps() -> None:
    """x becomes w - 1 - x, the middle w / 2 becomes w / 2 - 1, and the rest is as without mirroring."""
    width, height, rotation, scale = 171, 90, 25.0, 1.2
    mirrored = crop_matrix((width, height), Change(scale, rotation, mirror=True), size=SIZE)
    zoom, angle = 96 / (1.25 * 171 * 1.2), np.deg2rad(rotation)
    for x, y in ((0, 0), (170, 3), (40.5, 77)):
        across, down = (width - 1 - x) - (width / 2 - 1), y - height / 2
        expected = (
            zoom * (np.cos(angle) * across - np.sin(angle) * down) + 48,
            zoom * (np.sin(angle) * across + np.cos(angle) * down) + 48,
        )
        assert moved(mirrored, x, y) == pytest.approx(expected)


@pytest.fixture
def marked(tmp_path: Path) -> list[Record]:
    """Two pictures with a white dot at each of three keypoints."""
    records = []
    for number, (width, height) in enumerate(((150, 110), (90, 140))):
        keypoints = np.zeros((36, 3), np.float32)
        picture = np.zeros((height, width, 3), np.uint8)
        for k, share in ((3, (0.3, 0.3)), (10, (0.7, 0.4)), (30, (0.5, 0.75))):
            x, y = round(share[0] * width), round(share[1] * height)
            keypoints[k] = x, y, 1
            cv2.circle(picture, (x, y), 4, (0, 0, LEVELS[k]), -1)
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), picture)
        records.append(Record(path, number, 0, keypoints=keypoints))
    return records


@pytest.mark.parametrize("cache", ["none", "ram"])
@pytest.mark.parametrize("augmentation", [None, Augmentation(flip=1.0), Augmentation(flip=0.0)])
def test_keypoints_stay_on_their_dots(
    marked: list[Record], augmentation: Augmentation | None, cache: str
) -> None:
    pictures = PoseSet(marked, SIZE, augmentation=augmentation, cache=cache)  # type: ignore[arg-type]
    mirrored = augmentation is not None and augmentation.flip == 1
    for seed in range(5):
        batch = pictures.__getitems__(Draw([1, 0, 1], seed))
        images, points = batch["image"].numpy(), batch["points"].numpy()
        assert images.shape == (3, *SIZE, 3)
        assert batch["index"].tolist() == [1, 0, 1]
        for image, own in zip(images, points, strict=True):
            for k in (3, 10, 30):
                place = (k + 18) % 36 if mirrored else k
                assert own[place, 2] == 1
                x, y = own[place, :2]
                lines, columns = np.nonzero(abs(image[..., 0] - float(LEVELS[k])) < 25)
                near = (abs(columns - x) < 6) & (abs(lines - y) < 6)
                if 3 < x < 92 and 3 < y < 92:
                    assert near.any()
                    assert columns[near].mean() == pytest.approx(x, abs=0.7)
                    assert lines[near].mean() == pytest.approx(y, abs=0.7)
            assert own[:, 2].sum() == 3


def test_geometry_leads_back_to_the_picture(marked: list[Record]) -> None:
    batch = PoseSet(marked, SIZE, augmentation=Augmentation(flip=0.0)).__getitems__(Draw([0, 1], 3))
    for row in (0, 1):
        back = batch["points"][row, :, :2].numpy() @ batch["geometry"][row, :, :2].numpy().T
        back += batch["geometry"][row, :, 2].numpy()
        assert back == pytest.approx(marked[row].keypoints[:, :2], abs=1e-3)


def test_a_seed_says_everything(marked: list[Record]) -> None:
    pictures = PoseSet(marked, SIZE, augmentation=Augmentation())
    one, two, other = (pictures.__getitems__(Draw([0, 1], seed)) for seed in (1, 1, 2))
    assert (one["image"] == two["image"]).all()
    assert (one["points"] == two["points"]).all()
    assert not (one["points"] == other["points"]).all()


def test_published_ranges_of_what_is_drawn() -> None:
    random = np.random.default_rng(0)
    changes = [Augmentation().draw(random) for _ in range(20_000)]
    scales = np.array([change.scale for change in changes])
    angles = np.array([change.rotation for change in changes])
    assert (scales.min(), scales.max()) == (0.75, 1.25)
    assert (abs(scales - 1) == 0.25).mean() == pytest.approx(0.317, abs=0.02)  # beyond one deviation
    assert (angles.min(), angles.max()) == (-60, 60)
    assert (angles == 0).mean() == pytest.approx(0.4, abs=0.02)
    assert np.std(angles[angles != 0]) == pytest.approx(
        28.8, abs=0.6
    )  # of a normal clipped at two deviations
    assert np.mean([change.mirror for change in changes]) == pytest.approx(0.5, abs=0.02)


def test_numbers_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"data\.augmentation\.flip=1\.5: use a number from 0 to 1"):
        Augmentation(flip=1.5)
    assert len(KEYPOINTS) == 36
