"""Zip files of a folder: unpacked whole, once, and never outside of it."""

import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reid import unpacking
from reid.unpacking import unpack_all

FILES = {"query/1.jpg": b"one", "train/2.jpg": b"two" * 1000}


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("prefix", ["", "market1501/"])
def test_a_zip_becomes_the_folder_of_its_name(prefix: str, source: Path) -> None:
    zipped(source / "market1501.zip", {prefix + name: content for name, content in FILES.items()})
    assert unpack_all(source, source) == source
    assert contents(source / "market1501") == FILES
    assert sorted(path.name for path in source.iterdir() if not path.name.startswith(".")) == [
        "market1501", "market1501.zip",
    ]  # fmt: skip


def test_another_folder_stands_for_the_whole(source: Path, tmp_path: Path) -> None:
    zipped(source / "market1501.zip", FILES)
    (source / "duke").mkdir()
    (source / "duke" / "3.jpg").write_bytes(b"three")
    into = unpack_all(source, tmp_path / "cache" / "deep")
    assert contents(into / "market1501") == FILES
    assert contents(into / "duke") == {"3.jpg": b"three"}
    assert sorted(path.name for path in source.iterdir()) == ["duke", "market1501.zip"]
    assert unpack_all(source, into) == into, "twice is the same"
    assert unpack_all(source / "duke", into) == source / "duke", "without a zip the folder itself"


def test_it_is_unpacked_again_only_when_it_changed(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped(source / "a.zip", FILES)
    calls: list[Path] = []
    extract = unpacking.extract

    def counted(archive: Path, folder: Path) -> None:
        calls.append(archive)
        extract(archive, folder)

    monkeypatch.setattr(unpacking, "extract", counted)
    for _ in range(2):
        unpack_all(source, source)
    assert len(calls) == 1
    zipped(source / "a.zip", {"query/9.jpg": b"nine"})
    unpack_all(source, source)
    assert contents(source / "a") == {"query/9.jpg": b"nine"}
    shutil.rmtree(source / "a")
    unpack_all(source, source)
    assert contents(source / "a") == {"query/9.jpg": b"nine"}


def test_a_folder_that_is_there_is_left_alone(source: Path) -> None:
    zipped(source / "a.zip", FILES)
    (source / "a").mkdir()
    (source / "a" / "own.jpg").write_bytes(b"own")
    unpack_all(source, source)
    assert contents(source / "a") == {"own.jpg": b"own"}


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("a/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("../escaped.jpg", "outside"),
        ("a/../../escaped.jpg", "outside"),
        ("/tmp/escaped.jpg", "outside"),
        ("..\\escaped.jpg", "outside"),
        ("C:\\escaped.jpg", "outside"),
        (link(), "is a link"),
    ],
    ids=str,
)
def test_nothing_leaves_the_folder(entry: Any, said: str, source: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(source / "evil.zip", "w") as archive:
        archive.writestr("good.jpg", b"good")
        archive.writestr(entry, b"../../target")
    with pytest.raises(ValueError, match=rf"evil\.zip holds .*{said}.*nothing was unpacked"):
        unpack_all(source, source)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"] == [
        "evil.zip"
    ]


def test_damaged_files_leave_nothing(source: Path) -> None:
    whole = zipped(source / "a.zip", FILES).read_bytes()
    flipped = bytearray(whole)
    flipped[40] ^= 0xFF
    for torn in (b"", b"no zip at all", whole[:-10], whole[: len(whole) // 2], bytes(flipped)):
        (source / "a.zip").write_bytes(torn)
        with pytest.raises(ValueError, match=r"a\.zip is no zip file, or a damaged one"):
            unpack_all(source, source)
        assert not (source / "a").exists()
    assert {path.name for path in source.iterdir()} == {"a.zip", ".unpacking.lock"}


def test_encrypted_ones_are_refused(source: Path) -> None:
    content = bytearray(zipped(source / "a.zip", {"1.jpg": b"one"}).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
    (source / "a.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip is encrypted"):
        unpack_all(source, source)


def test_a_disk_that_is_too_small_is_named(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped(source / "a.zip", {"zeros": bytes(1 << 20)})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1 << 20, 1, (1 << 20) - 1))
    with pytest.raises(OSError, match=r"unpacks to .* GB.*storage\.cache=DIR"):
        unpack_all(source, source)
    assert not (source / "a").exists()
