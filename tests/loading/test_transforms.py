"""Transforms against formulas and the plain way of doing the same; what the pipeline promises."""

from collections.abc import Callable
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from reid.loading import Pipeline, RandomErasing, RandomTranslation

HEIGHT, WIDTH = 64, 32
CONF = Path(__file__).parents[2] / "conf"


def pictures(count: int, channels: int = 3, height: int = 40, width: int = 20) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    return np.stack([cv2.blur(image, (3, 3)) for image in noise])


def test_seed_and_images_decide_every_byte() -> None:
    images = pictures(16)
    pipeline = Pipeline(
        [
            A.OneOf([A.HorizontalFlip(p=1), A.VerticalFlip(p=1)], p=0.7),
            RandomTranslation(HEIGHT, WIDTH),
            A.GaussNoise(p=0.5),
            RandomErasing(),
        ],
        size=(HEIGHT, WIDTH),
    )
    before = np.random.get_state()[1].tolist()
    first = pipeline(images, 16, seed=1)
    assert first.shape == (16, HEIGHT, WIDTH, 3)
    assert first.dtype == np.uint8
    other = pipeline(images, 16, seed=2)
    np.testing.assert_array_equal(pipeline(iter(images), 16, seed=1), first)
    assert (other != first).any()
    assert np.random.get_state()[1].tolist() == before, "the global state is nobody's to touch"


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "transforms").glob("*.yaml")))
def test_the_listed_recipes_change_training_images_and_resize_the_others(name: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(
            "config", [f"transforms={name}", f"data.image_size=[{HEIGHT},{WIDTH}]", "paths.output=."]
        )
        lists = instantiate(config.data.transforms, _convert_="all")
    images = pictures(3)
    train, first = (
        Pipeline(lists[stage], size=(HEIGHT, WIDTH))(images, 3, seed=1) for stage in ("train", "evaluate")
    )
    np.testing.assert_array_equal(first, [cv2.resize(image, (WIDTH, HEIGHT)) for image in images])
    assert (train != first).any()


def test_evaluation_is_a_bilinear_resize() -> None:
    images = pictures(3)
    got = Pipeline([A.Resize(HEIGHT, WIDTH)], size=(HEIGHT, WIDTH))(images, 3, seed=0)
    wanted = [cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) for image in images]
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("channels", [3, 52])
def test_a_flip_before_the_resize_is_a_flip_after_it(channels: int) -> None:
    image = pictures(1, channels)[0]
    before = cv2.resize(cv2.flip(image, 1), (WIDTH, HEIGHT)).astype(int)
    after = cv2.resize(image, (WIDTH, HEIGHT))[:, ::-1]
    assert np.abs(before - after).max() <= 1


@pytest.mark.parametrize("channels", [3, 52])
def test_translation_is_a_window_of_the_larger_image_or_a_plain_resize(channels: int) -> None:
    image = pictures(1, channels)[0]
    plain = cv2.resize(image, (WIDTH, HEIGHT)).astype(int)
    larger = cv2.resize(image, (36, 72)).astype(int)  # 1.125 times
    windows = {(y, x): larger[y : y + HEIGHT, x : x + WIDTH] for y in range(9) for x in range(5)}
    got = Pipeline([RandomTranslation(HEIGHT, WIDTH)], size=(HEIGHT, WIDTH))([image] * 400, 400, seed=0)
    seen = {}
    plain, windows = plain[..., ::17], {place: window[..., ::17] for place, window in windows.items()}
    for result in got[..., ::17].astype(int):
        if np.abs(result - plain).max() <= 1:
            place = "plain"
        else:
            place = next(place for place, window in windows.items() if np.abs(result - window).max() <= 1)
        seen[place] = seen.get(place, 0) + 1
    assert abs(seen.pop("plain") - 200) < 4 * 10  # binomial: sigma 10
    assert len(seen) == len(windows), "every window comes"


def test_translation_takes_keypoints_along() -> None:
    image = np.zeros((64, 32, 3), np.uint8)
    image[20:24, 10:14] = 255
    compose = A.Compose(
        [RandomTranslation(128, 64, probability=1)], keypoint_params=A.KeypointParams("xy"), seed=3
    )
    for _ in range(5):
        moved = compose(image=image, keypoints=[(12.0, 22.0)])
        rows, columns = np.nonzero(moved["image"][..., 0] > 127)
        np.testing.assert_allclose(moved["keypoints"][0], (columns.mean() + 0.5, rows.mean() + 0.5), atol=0.6)


@pytest.mark.parametrize("channels", [3, 52])
def test_erasing_follows_the_recipe(channels: int) -> None:
    count = 2000
    white = np.full((HEIGHT, WIDTH, channels), 255, np.uint8)
    given = white.copy()
    got = Pipeline([RandomErasing()], size=(HEIGHT, WIDTH))([given] * count, count, seed=0)
    np.testing.assert_array_equal(given, white)

    erased = (got != 255).all(-1)
    shares = erased.mean((1, 2))
    assert abs((shares > 0).mean() - 0.5) < 4 * (0.25 / count) ** 0.5
    for image, mask in zip(got[:100], erased[:100], strict=True):
        if mask.any():
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            assert mask.sum() == len(rows) * len(columns) == np.prod([np.ptp(rows) + 1, np.ptp(columns) + 1])
            assert (image[~mask] == 255).all()
            # .485 .456 .406 after normalisation with the same mean and deviation .229 .224 .225
            gray = [
                255 * (0.485 + 0.229 * 0.485),
                255 * (0.456 + 0.224 * 0.456),
                255 * (0.406 + 0.225 * 0.406),
            ]
            np.testing.assert_allclose(image[mask][:, :3], np.tile(gray, (mask.sum(), 1)), atol=0.5)
            assert (image[mask][:, 3:] == 0).all()


def test_the_erased_share_is_drawn_evenly() -> None:
    """On a square: evenly among the rectangles that fit, as others are drawn anew."""
    rng = np.random.default_rng(0)
    area, aspect = rng.uniform(0.02, 0.4, 200_000), rng.uniform(0.3, 1 / 0.3, 200_000)
    fits = (area * aspect < 1) & (area / aspect < 1)
    count = 1000
    pipeline = Pipeline([RandomErasing(p=1)], size=(100, 100))
    mask = pipeline([np.full((100, 100, 1), 255, np.uint8)] * count, count, seed=1)[..., 0] != 255
    share = mask.mean((1, 2))
    assert share.min() > 0.02 - 0.005
    assert share.max() < 0.4 + 0.01
    np.testing.assert_allclose(
        np.quantile(share, [0.25, 0.5, 0.75]), np.quantile(area[fits], [0.25, 0.5, 0.75]), atol=0.02
    )
    ratio = mask.any(2).sum(1) / mask.any(1).sum(1)
    np.testing.assert_allclose(
        np.quantile(ratio, [0.25, 0.5, 0.75]), np.quantile(aspect[fits], [0.25, 0.5, 0.75]), atol=0.2
    )


def test_erasing_gives_up_when_nothing_fits() -> None:
    image = np.full((4, 100, 3), 255, np.uint8)
    never = RandomErasing(area=(0.9, 0.9), aspect=(1, 1), p=1)
    np.testing.assert_array_equal(never(image=image)["image"], image)


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ([A.Resize(8, 8)], r"8 x 8 pixels, data\.image_size is 64 x 32"),
        ([A.Resize(HEIGHT, WIDTH), A.Normalize()], r"float32, not uint8: take out Normalize"),
        ([A.Resize(HEIGHT, WIDTH), A.ToTensorV2()], r"torch\.uint8, not uint8"),
    ],
)
def test_wrong_lists_are_told_what_to_change(transforms: list[A.BasicTransform], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pipeline(transforms, size=(HEIGHT, WIDTH))(pictures(1), 1, seed=0)


def test_only_albumentations_transforms_can_be_seeded() -> None:
    with pytest.raises(ValueError, match="no albumentations transform"):
        Pipeline([lambda image: image], size=(HEIGHT, WIDTH))


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomErasing(area=(0.4, 0.02)),
        lambda: RandomErasing(aspect=(0, 1)),
        lambda: RandomTranslation(8, 8, scale=0.9),
    ],
)
def test_impossible_numbers_are_refused(make: Callable[[], A.BasicTransform]) -> None:
    with pytest.raises(ValueError, match="use "):
        make()
