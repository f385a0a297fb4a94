"""Packs of guides: equal to the files they are made of, and whole whenever a run was stopped."""

import collections
import errno
import multiprocessing
import os
import pickle
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from reid.datasets import Record
from reid.loading.guides import FileGuides, PackedGuides, packing, write_guide_files, write_pack
from reid.loading.guides.packs import offsets_of

SIZES = np.full((12, 2), 64)
NAMES = [f"{row:04d}.jpg" for row in range(100)]


def numbered(rows: Sequence[int], *, channels: int = 13) -> NDArray[np.uint8]:
    """Planes of one gray level each, which tells the row and the channel."""
    levels = np.asarray(rows)[:, None] * 7 + np.arange(channels)
    return np.broadcast_to(levels[..., None, None] % 251, (*levels.shape, 64, 64)).astype(np.uint8)


def pack(path: Path, **changes: Any) -> None:
    """A small pack of segments."""
    given: dict[str, Any] = {"planes": numbered, "heatmap": False, "segment": True, "source": "test"}
    write_pack(path, changes.pop("names", NAMES), **{**given, **changes})


def packed(path: Path) -> NDArray[np.uint8]:
    with h5py.File(path) as file:
        return file["segment"][()]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Pictures of two sets with guide files of noise, which no JPEG holds unchanged."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("veri")
    made = [
        Record(
            folder / ("image_query" if row % 3 == 0 else "image_test") / f"{row:04d}_c001.jpg",
            row,
            0,
            keypoints=rng.uniform(0.3, 1.12, (36, 3)).astype(np.float32),
        )
        for row in range(12)
    ]
    write_guide_files(
        made,
        lambda rows: rng.integers(0, 256, (len(rows), 49, 64, 64), np.uint8),
        heatmap=True,
        segment=True,
    )
    return made


def pack_files(records: list[Record], **options: Any) -> None:
    """A pack for each set, of the files, in another order than the records'."""
    for part in ("query", "test"):
        own = [record for record in reversed(records) if record.path.parent.name == f"image_{part}"]
        files = FileGuides(own, heatmap=True, segment=True, confidence=0)
        write_pack(
            own[0].path.parents[1] / f"guides_{part}.h5",
            [record.path.name for record in own],
            planes=lambda rows, files=files: files(rows, SIZES),
            heatmap=True,
            segment=True,
            source="files",
            **options,
        )


@pytest.mark.parametrize("compression", [None, "lzf", "gzip"])
def test_a_pack_equals_its_files(records: list[Record], compression: packing.Compression) -> None:
    pack_files(records, compression=compression)
    rows = [11, 0, 3, 3, 10, 1]
    for heatmap, segment in ((True, True), (True, False), (False, True)):
        for confidence in (0.0, 0.5):
            options = {"heatmap": heatmap, "segment": segment, "confidence": confidence}
            files, packs = FileGuides(records, **options), PackedGuides(records, **options)
            assert packs.channels == files.channels
            planes = packs(rows, SIZES[rows])
            np.testing.assert_array_equal(planes, files(rows, SIZES[rows]))
    assert not planes.reshape(6 * 13, -1).any(1).all(), "some segments are hidden"
    with h5py.File(records[0].path.parents[1] / "guides_query.h5") as file:
        assert (file.attrs["version"], file.attrs["source"]) == (1, "files")
        assert file["name"].asstr()[0] == "0009_c001.jpg"
        assert (offsets_of(file["heatmap"]) is not None) == (compression is None)


@pytest.mark.parametrize("compression", [None, "lzf"])
def test_packs_travel_to_workers(records: list[Record], compression: packing.Compression) -> None:
    pack_files(records, compression=compression)
    packs = PackedGuides(records, heatmap=True, segment=True)
    here = packs([4, 2], SIZES[:2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(packs))([4, 2], SIZES[:2]), here)
    for method in ("fork", "spawn") if compression else ("fork",):  # a spawned one takes seconds
        with multiprocessing.get_context(method).Pool(1) as pool:
            np.testing.assert_array_equal(pool.apply(packs, ([4, 2], SIZES[:2])), here)
    np.testing.assert_array_equal(packs([4, 2], SIZES[:2]), here)


def test_a_forked_process_opens_for_itself(records: list[Record]) -> None:
    pack_files(records, compression="lzf")
    packs = PackedGuides(records, heatmap=True, segment=True)
    packs([0], SIZES[:1])
    before = packs.opened
    packs([1], SIZES[:1])
    assert packs.opened is before
    packs.process = -1  # as a child sees its parent's
    packs([1], SIZES[:1])
    assert packs.opened is not before


def test_chunks_of_others_are_read_too(tmp_path: Path) -> None:
    record = Record(tmp_path / "image_train" / NAMES[70], 0, 0)
    with h5py.File(tmp_path / "guides_train.h5", "w") as file:
        file.attrs["version"] = 1
        file["name"] = NAMES
        file.create_dataset("segment", data=numbered(range(100)), chunks=(10, 13, 64, 64))
    planes = PackedGuides([record], heatmap=False, segment=True, confidence=0)([0], SIZES[:1])
    np.testing.assert_array_equal(planes, numbered([70]))


class Interrupted:
    """Planes until some row, and then an end; remembers what it was asked for."""

    def __init__(self, row: int, fault: BaseException | None = None) -> None:
        self.row, self.fault = row, fault or KeyboardInterrupt()
        self.asked: list[int] = []

    def __call__(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        if self.row in rows:
            raise self.fault
        self.asked.extend(rows)
        return numbered(rows)


@pytest.mark.parametrize("compression", [None, "lzf", "gzip"])
@pytest.mark.parametrize("row", [0, 40, 99])
def test_an_interrupted_run_goes_on(tmp_path: Path, row: int, compression: packing.Compression) -> None:
    path, draft = tmp_path / "guides_train.h5", tmp_path / ".guides_train.h5.partial"
    first = Interrupted(row)
    with pytest.raises(KeyboardInterrupt):
        pack(path, planes=first, compression=compression)
    assert os.listdir(tmp_path) == [draft.name]
    second = Interrupted(-1)
    pack(path, planes=second, compression=compression)
    assert first.asked + second.asked == list(range(100))
    assert os.listdir(tmp_path) == [path.name]
    np.testing.assert_array_equal(packed(path), numbered(range(100)))


@pytest.mark.parametrize("compression", [None, "lzf"])
def test_a_killed_run_goes_on_where_it_was_safe(
    tmp_path: Path, compression: packing.Compression, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "KEEP", 32)
    path = tmp_path / "guides_train.h5"

    def killed(rows: Sequence[int]) -> NDArray[np.uint8]:
        if 64 in rows:
            os.kill(os.getpid(), signal.SIGKILL)
        return numbered(rows)

    child = multiprocessing.get_context("fork").Process(
        target=pack, args=(path,), kwargs={"planes": killed, "compression": compression}
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    rest = Interrupted(-1)
    pack(path, planes=rest, compression=compression)
    assert rest.asked == list(range(64, 100))
    np.testing.assert_array_equal(packed(path), numbered(range(100)))


def test_a_run_stopped_before_the_last_step_has_nothing_left_to_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "guides_train.h5"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(packing.os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pack(path)
    rest = Interrupted(-1)
    pack(path, planes=rest)
    assert rest.asked == []
    np.testing.assert_array_equal(packed(path), numbered(range(100)))


@pytest.mark.parametrize(
    "change",
    [
        {"names": NAMES[::-1]},
        {"names": NAMES[:-1]},
        {"source": "other"},
        {"compression": "lzf"},
        {"heatmap": True, "planes": lambda rows: numbered(rows, channels=49)},
    ],
    ids=["order", "fewer", "source", "compression", "kinds"],
)
def test_the_draft_of_another_pack_is_started_anew(
    tmp_path: Path, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "guides_train.h5"
    with pytest.raises(KeyboardInterrupt):
        pack(
            path,
            planes=Interrupted(70),
            **{key: change[key] for key in change if key not in ("heatmap", "planes")},
        )
    rest = Interrupted(-1)
    if change.get("heatmap"):
        pack(path, **change)
    else:
        pack(path, planes=rest)
        assert rest.asked == list(range(100))
        np.testing.assert_array_equal(packed(path), numbered(range(100)))
    assert "guides_train.h5.partial is started anew" in caplog.text


@pytest.mark.parametrize("damage", ["empty", "noise", "half", "holes", "header"])
def test_a_damaged_draft_is_started_anew(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, draft = tmp_path / "guides_train.h5", tmp_path / ".guides_train.h5.partial"
    with pytest.raises(KeyboardInterrupt):
        pack(path, planes=Interrupted(70))
    content = draft.read_bytes()
    if damage == "holes":
        with h5py.File(draft, "r+") as file:
            file.attrs["finished"] = 97
    elif damage == "header":
        with h5py.File(draft, "r+") as file:
            del file.attrs["version"]
    else:
        draft.write_bytes({"empty": b"", "noise": b"x" * 5000, "half": content[: len(content) // 2]}[damage])
    rest = Interrupted(-1)
    pack(path, planes=rest)
    assert rest.asked == list(range(100))
    np.testing.assert_array_equal(packed(path), numbered(range(100)))
    assert "is started anew" in caplog.text


def test_a_pack_that_is_there_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "guides_train.h5"
    pack(path)
    with pytest.raises(KeyboardInterrupt):
        pack(path, planes=Interrupted(70), source="other")
    np.testing.assert_array_equal(packed(path), numbered(range(100)))
    pack(path, planes=lambda rows: 250 - numbered(rows), source="another")
    np.testing.assert_array_equal(packed(path), 250 - numbered(range(100)))


def hold_draft(draft: Path, opened: Any, done: Any) -> None:
    with h5py.File(draft, "r+"):
        opened.set()
        done.wait(60)


def test_two_processes_do_not_write_one_draft(tmp_path: Path) -> None:
    path, draft = tmp_path / "guides_train.h5", tmp_path / ".guides_train.h5.partial"
    with pytest.raises(KeyboardInterrupt):
        pack(path, planes=Interrupted(70))
    context = multiprocessing.get_context("fork")
    opened, done = context.Event(), context.Event()
    child = context.Process(target=hold_draft, args=(draft, opened, done))
    child.start()
    try:
        assert opened.wait(60)
        with pytest.raises(OSError, match="another process writes this pack"):
            pack(path)
    finally:
        done.set()
        child.join()
    rest = Interrupted(-1)
    pack(path, planes=rest)
    assert rest.asked == list(range(64, 100))


Usage = collections.namedtuple("Usage", "free")


def test_a_disk_without_room_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing.shutil, "disk_usage", lambda _: Usage(3_000_000))
    planes = Interrupted(-1)
    with pytest.raises(
        OSError, match=r"needs 5 MB more, 3 MB are free: make room.*compression=lzf"
    ) as caught:
        pack(tmp_path / "guides_train.h5", planes=planes)
    assert caught.value.errno == errno.ENOSPC
    assert not planes.asked


def test_a_disk_that_fills_is_named_and_the_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "guides_train.h5"
    fault = OSError(errno.ENOSPC, "Can't write data (file write failed: errno = 28)")
    with pytest.raises(
        OSError, match=r"needs 2 MB more.*start again, which goes on with what is written"
    ) as caught:
        pack(path, planes=Interrupted(70, fault))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / ".guides_train.h5.partial")
    rest = Interrupted(-1)
    pack(path, planes=rest)
    assert rest.asked == list(range(64, 100))


def test_what_cannot_be_packed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "guides_train.h5"
    with pytest.raises(ValueError, match=r"compression='zip': use null, lzf or gzip"):
        pack(path, compression="zip")
    with pytest.raises(ValueError, match=r"1 names twice"):
        pack(path, names=[*NAMES, NAMES[0]])
    with pytest.raises(ValueError, match=r"heatmap=false and data\.segment=false"):
        pack(path, segment=False)
    with pytest.raises(ValueError, match=r"planes are \(32, 36, 64, 64\) uint8: \(32, 13, 64, 64\) uint8"):
        pack(path, planes=lambda rows: numbered(rows, channels=36))
    assert not path.exists()


def of_pack(path: Path, *names: str) -> list[Record]:
    return [Record(path.with_name("image_train") / name, 0, 0) for name in names]


def test_what_is_no_pack_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "guides_train.h5"
    some = of_pack(path, NAMES[0])
    options: dict[str, Any] = {"heatmap": False, "segment": True, "confidence": 0}
    with pytest.raises(FileNotFoundError, match=r"guides_train\.h5 is missing: write it with task=pack"):
        PackedGuides(some, **options)
    pack(path)
    content = path.read_bytes()
    for wrong in (b"", b"no HDF5", content[: len(content) // 2]):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"is no pack of guides, or not all of it.*copy it again"):
            PackedGuides(some, **options)
    path.write_bytes(content)
    strangers = of_pack(path, NAMES[1], "a.jpg", "b.jpg")
    with pytest.raises(ValueError, match=r"2 of 3 images are not in .*the first is a\.jpg.*task=pack"):
        PackedGuides(strangers, **options)
    with pytest.raises(ValueError, match=r"has no heatmap planes .*but segment: .*data\.heatmap=false"):
        PackedGuides(some, **{**options, "heatmap": True})
    with pytest.raises(ValueError, match=r"1 of 1 images have no keypoints"):
        PackedGuides(some, **{**options, "confidence": 0.5})
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 9
    with pytest.raises(ValueError, match=r"of version 9, this program reads 1: write it anew with task=pack"):
        PackedGuides(some, **options)
    with h5py.File(path, "r+") as file:
        del file.attrs["version"]
    with pytest.raises(ValueError, match=r"is no pack of guides"):
        PackedGuides(some, **options)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_pack_damaged_later_is_named(tmp_path: Path, compression: packing.Compression) -> None:
    path = tmp_path / "guides_train.h5"
    pack(path, compression=compression)
    guides = PackedGuides(of_pack(path, *NAMES), heatmap=False, segment=True, confidence=0)
    with h5py.File(path) as file:
        place = file["segment"].id.get_chunk_info_by_coord((99, 0, 0, 0))
    if compression:
        content = bytearray(path.read_bytes())
        content[place.byte_offset : place.byte_offset + place.size] = bytes(place.size)
        path.write_bytes(content)
    else:
        guides([0], SIZES[:1])  # which opens it
        os.truncate(path, place.byte_offset + 100)
    with pytest.raises(ValueError, match=r"guides_train\.h5 cannot be read at 0099\.jpg .*task=pack"):
        guides([1, 99], SIZES[:2])


def test_records_outside_the_layout_are_refused(records: list[Record]) -> None:
    with pytest.raises(ValueError, match=r"lies in elsewhere/"):
        PackedGuides([replace(records[0], path=Path("elsewhere/a.jpg"))], heatmap=True, segment=False)
