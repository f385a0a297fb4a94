"""Training batches of Market-1501's size on one core: ours from files and from memory, beside PIL."""

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import default_collate

from reid.datasets import Record
from reid.loading import ImageSet, Pipeline, RandomErasing, RandomTranslation
from reid.loading.sampler import Draw

pytest.importorskip("pytest_benchmark")
Image = pytest.importorskip("PIL.Image")

HEIGHT, WIDTH, BATCH, BATCHES = 256, 128, 64, 8
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """128 x 64 JPEG files of some 3 kB, as Market-1501's."""
    folder = tmp_path_factory.mktemp("boxes")
    rng = np.random.default_rng(0)
    listed = []
    for row in range(BATCH * BATCHES):
        image = cv2.GaussianBlur(rng.integers(0, 256, (128, 64, 3), dtype=np.uint8), (0, 0), 2)
        path = folder / f"{row:04d}.jpg"
        cv2.imwrite(
            str(path), cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX), [cv2.IMWRITE_JPEG_QUALITY, 90]
        )
        listed.append(Record(path, row // 4, row % 6))
    return listed


def pil_image(record: Record) -> tuple[Tensor, int, int]:
    """Open, resize, flip, random 2-D translation, to float, normalise, erase: the published order."""
    image = Image.open(record.path).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if random.random() < 0.5:
        image = image.resize((144, 288), Image.Resampling.BILINEAR)
        left, top = random.randint(0, 144 - WIDTH), random.randint(0, 288 - HEIGHT)
        image = image.crop((left, top, left + WIDTH, top + HEIGHT))
    tensor = (
        torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div_(255).sub_(MEAN).div_(STD)
    )
    if random.random() < 0.5:
        area, aspect = random.uniform(0.02, 0.4) * HEIGHT * WIDTH, random.uniform(0.3, 1 / 0.3)
        height, width = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if height < HEIGHT and width < WIDTH:
            top, left = random.randint(0, HEIGHT - height), random.randint(0, WIDTH - width)
            tensor[:, top : top + height, left : left + width] = MEAN
    return tensor, record.identity, record.camera


def images_a_second(load: Callable[[Draw], object]) -> float:
    """In processor time, so that neighbours on the machine count less."""
    start = time.process_time()
    for number in range(BATCHES):
        load(Draw(list(range(number * BATCH, (number + 1) * BATCH)), number))
    return BATCH * BATCHES / (time.process_time() - start)


@pytest.mark.parametrize("cache", ["none", "ram"])
@pytest.mark.benchmark(group="training batches")
def test_training_batches(benchmark, records: list[Record], cache: str) -> None:
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    transforms = [A.HorizontalFlip(p=0.5), RandomTranslation(HEIGHT, WIDTH), RandomErasing()]
    images = ImageSet(records, Pipeline(transforms, size=(HEIGHT, WIDTH)), cache=cache)

    rounds = []
    for _ in range(5):  # turn and turn about: both meet the same neighbours
        baseline = images_a_second(
            lambda draw: default_collate([pil_image(records[row]) for row in draw.rows])
        )
        rounds.append((images_a_second(images.__getitems__), baseline))
    benchmark.pedantic(images_a_second, args=(images.__getitems__,), rounds=3)
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])

    ours, baseline = (statistics.median(side) for side in zip(*rounds, strict=True))
    benchmark.extra_info.update(
        images_a_second=round(ours),
        baseline_images_a_second=round(baseline),
        times_faster=round(statistics.median(own / other for own, other in rounds), 2),
    )


def test_the_files_are_like_market1501s(records: list[Record]) -> None:
    sizes = [Path(record.path).stat().st_size for record in records]
    assert 2_000 < statistics.mean(sizes) < 4_000
