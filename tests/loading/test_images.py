"""Files -> batches: what is in a batch, whoever loads it and from wherever; and images that are broken."""

import logging
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from reid.contracts import Batch
from reid.datasets import Record
from reid.loading import (
    DrawBatchSampler,
    ImageSet,
    Pipeline,
    RandomErasing,
    RandomSampler,
    RandomTranslation,
    images,
    read_image,
    relabel,
    usable,
)
from reid.loading.sampler import Draw

SIZE = (32, 16)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Pictures of different sizes whose left half is red and whose right half is blue; every third a PNG."""
    folder = tmp_path_factory.mktemp("images")
    made = []
    for row in range(24):
        rgb = np.zeros((20 + row, 12 + row % 5 * 2, 3), np.uint8)
        half = rgb.shape[1] // 2
        rgb[:, :half, 0], rgb[:, half:, 2] = 200 + row, 200 + row
        path = folder / f"{row:02d}{'.jpg' if row % 3 else '.png'}"
        cv2.imwrite(str(path), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
        made.append(Record(path, identity=10 + row // 4, camera=row % 3, attributes={"colour": row % 7}))
    return made


def plain(records: list[Record], **options: object) -> ImageSet:
    return ImageSet(records, Pipeline([A.Resize(*SIZE)], size=SIZE), **options)


def augmented(records: list[Record], **options: object) -> ImageSet:
    transforms = [A.HorizontalFlip(p=0.5), RandomTranslation(*SIZE), RandomErasing()]
    return ImageSet(records, Pipeline(transforms, size=SIZE), **options)


def as_it_is(batch: Batch) -> Batch:
    return batch


def loaded(images: ImageSet, workers: int) -> list[Batch]:
    batches = DrawBatchSampler(RandomSampler(len(images), seed=4), 5, seed=4)
    return list(DataLoader(images, batch_sampler=batches, collate_fn=as_it_is, num_workers=workers))


def test_a_batch_is_what_the_contract_says(records: list[Record]) -> None:
    batch = plain(records, queries=6).__getitems__(Draw([7, 0, 5, 23], seed=0))

    assert batch["image"].shape == (4, *SIZE, 3)
    assert batch["image"].dtype == torch.uint8
    assert batch["identity"].tolist() == [11, 10, 11, 15]
    assert batch["camera"].tolist() == [1, 0, 2, 2]
    assert batch["index"].tolist() == [7, 0, 5, 23]
    assert batch["is_query"].tolist() == [False, True, True, False]
    assert batch["is_query"].dtype == torch.bool
    assert batch["attributes"]["colour"].tolist() == [0, 0, 5, 2]
    assert {batch[name].dtype for name in ("identity", "camera", "index")} == {torch.int64}
    assert batch["attributes"]["colour"].dtype == torch.int64


def test_channels_are_red_green_blue(records: list[Record]) -> None:
    batch = plain(records).__getitems__(Draw([0], seed=0))
    assert batch["image"][0, 16, 1].tolist() == [200, 0, 0]
    assert batch["image"][0, 16, -2].tolist() == [0, 0, 200]


def test_workers_change_no_byte(records: list[Record]) -> None:
    here, there = loaded(augmented(records), 0), loaded(augmented(records), 2)
    assert len(here) == len(there) == 4
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_memory_holds_what_the_files_hold(records: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PAGE", 5)  # several tensors
    cached, read = augmented(records, cache="ram"), augmented(records)
    for row in range(len(records)):
        np.testing.assert_array_equal(cached.image(row), read.image(row))
    for one, other in zip(loaded(cached, 0), loaded(read, 0), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_memory_cannot_be_overwritten(records: list[Record]) -> None:
    image = plain(records, cache="ram").image(0)
    with pytest.raises(ValueError, match="read-only"):
        image[:] = 0


def test_memory_is_shared_by_workers_and_read_once(records: list[Record]) -> None:
    reads = []

    def counted(record: Record) -> np.ndarray:
        reads.append(record)
        return read_image(record)

    cached = augmented(records, cache="ram", read=counted)
    before = len(reads)
    assert before <= 2 * len(records)  # some are read twice, to judge the memory they need
    for one, other in zip(loaded(cached, 2), loaded(augmented(records), 0), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    cached.__getitems__(Draw([1, 2], 0))
    assert len(reads) == before


def test_a_cache_beyond_memory_says_what_it_needs(records: list[Record]) -> None:
    huge = np.broadcast_to(np.zeros(1, np.uint8), (1 << 20, 1 << 20, 3))  # 3.3 TB that take one byte
    if not Path("/proc/meminfo").exists():
        pytest.skip("only Linux tells what is free")
    with pytest.raises(MemoryError, match=r"24 decoded images need 79164\.8 GB .* data\.cache=none"):
        plain(records, cache="ram", read=lambda record: huge)


def test_other_readers_may_bring_more_channels(records: list[Record]) -> None:
    def with_guides(record: Record) -> np.ndarray:
        rgb = read_image(record)
        return np.concatenate([rgb, np.full((*rgb.shape[:2], 49), 7, np.uint8)], axis=2)

    for cache in ("none", "ram"):
        batch = augmented(records, read=with_guides, cache=cache).__getitems__(Draw([0, 1], seed=0))
        assert batch["image"].shape == (2, *SIZE, 52)


def test_attributes_are_complete_or_named(records: list[Record]) -> None:
    bare = Record(records[0].path, 1, 0)
    assert plain([bare]).__getitems__(Draw([0], 0))["attributes"] == {}
    with pytest.raises(ValueError, match=r"00\.png has no colour"):
        plain([bare, *records[1:]])


def broken(folder: Path, records: list[Record]) -> list[Record]:
    whole, png = records[1].path.read_bytes(), records[0].path.read_bytes()
    rest = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))[
        1
    ].tobytes()
    contents = {
        "empty.jpg": b"",
        "cut.jpg": rest[: len(rest) // 2],
        "cut_short.jpg": whole[:-2],
        "cut.png": png[:-8],
        "text.jpg": b"<html>404</html>",
        "padded.jpg": whole + b"\0" * 500,  # fine: some writers do so
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [Record(folder / name, 1, 0) for name in contents] + [Record(folder / "gone.jpg", 1, 0)]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("empty.jpg", "is empty"),
        ("cut.jpg", "breaks off after"),
        ("cut_short.jpg", "breaks off after"),
        ("cut.png", "breaks off after"),
        ("text.jpg", "is no image"),
    ],
)
def test_a_bad_image_is_named(tmp_path: Path, records: list[Record], name: str, fault: str) -> None:
    bad = next(record for record in broken(tmp_path, records) if record.path.name == name)
    with pytest.raises(ValueError, match=rf"{name} {fault}.*data\.on_bad_image=skip"):
        plain([bad]).__getitems__(Draw([0], seed=0))


def test_bad_images_can_be_left_out(
    tmp_path: Path, records: list[Record], caplog: pytest.LogCaptureFixture
) -> None:
    mixed = [*records[:3], *broken(tmp_path, records), *records[3:]]
    with caplog.at_level(logging.WARNING):
        good, bad = usable(mixed)

    assert [record.path.name for record in good] == [
        record.path.name for record in [*records[:3], Record(Path("padded.jpg"), 1, 0), *records[3:]]
    ]
    assert len(bad) == 6
    assert "6 of 31 images are left out" in caplog.text
    for name in ("empty.jpg is empty", "cut.jpg breaks off", "text.jpg is no image", "gone.jpg"):
        assert name in caplog.text
    assert usable(records) == (records, [])


def test_nothing_usable_is_an_error(tmp_path: Path, records: list[Record]) -> None:
    with pytest.raises(ValueError, match=r"none of 2 images can be read, .*empty\.jpg is empty"):
        usable(broken(tmp_path, records)[:2])


def test_training_identities_become_labels(records: list[Record]) -> None:
    listed = [records[20], records[0], records[8], records[1]]  # identities 15, 10, 12, 10
    labelled, labels = relabel(listed)
    assert labels == {10: 0, 12: 1, 15: 2}
    assert [record.identity for record in labelled] == [2, 0, 1, 0]
    assert [record.path for record in labelled] == [record.path for record in listed]
    assert [record.identity for record in listed] == [15, 10, 12, 10]
