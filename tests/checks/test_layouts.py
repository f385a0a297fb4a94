"""Benchmarks broken as people break them: each is found, by the right name and with the right numbers."""

import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from checks.miniature import COUNTS, draw, market1501, msmt17
from datasets.test_cuhk03 import lay_out as cuhk03

from reid.checks import Finding, check
from reid.checks.files import look
from reid.datasets import Benchmark, Record, read_cuhk03, read_duke, read_market1501, read_msmt17, read_own

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
FIRST = "0001_c1s1_000001_00.jpg"  # of training


def grave(findings: list[Finding]) -> dict[str, Finding]:
    """By code, without notes."""
    return {finding.code: finding for finding in findings if finding.level != "note"}


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return market1501(tmp_path / "market1501")


@pytest.fixture
def msmt(tmp_path: Path) -> Path:
    return msmt17(tmp_path / "msmt17")


def test_a_whole_benchmark_gives_no_finding(market: Path, msmt: Path) -> None:
    assert check(read_market1501(market), counts=COUNTS, images_per_identity=4) == []
    # equal numbers in training and test, which are others
    assert check(read_msmt17(msmt), counts={}) == []


def test_copies_that_were_published_stop_nobody(market: Path) -> None:
    """The counts are right, and a training picture lies in the test: so it was published."""
    shutil.copy(market / TRAIN / FIRST, sorted((market / QUERY).iterdir())[0])
    benchmark = read_market1501(market)
    (finding,) = (each for each in check(benchmark, counts=COUNTS) if each.code == "train-images-in-test")
    assert finding.level == "warning"
    (finding,) = (each for each in check(benchmark, counts={}) if each.code == "train-images-in-test")
    assert finding.level == "error"


def half_copied(root: Path) -> None:
    for file in sorted((root / TRAIN).iterdir())[8:]:
        file.unlink()


def copied_from_two_releases(root: Path) -> None:
    for identity in (9, 10):
        for camera in (1, 2):
            draw(root / TRAIN / f"{identity:04d}_c{camera}s1_000001_00.jpg")


def swapped(root: Path) -> None:
    (root / QUERY).rename(root / "kept")
    (root / GALLERY).rename(root / QUERY)
    (root / "kept").rename(root / GALLERY)


@pytest.mark.parametrize(
    ("break_it", "code", "words"),
    [
        (
            half_copied,
            "counts-differ",
            ["train has 8 images, published are 16: 8 are missing", "verify=false"],
        ),
        (copied_from_two_releases, "counts-differ", ["6 identities, published are 4: 2 are too many"]),
        (swapped, "query-and-gallery-swapped", ["query has 17 images and gallery 8", "Exchange"]),
    ],
)
def test_lists_that_are_not_as_published(
    market: Path, break_it: Callable[[Path], None], code: str, words: list[str]
) -> None:
    break_it(market)
    findings = grave(check(read_market1501(market), counts=COUNTS))
    assert findings[code].level == "error"
    for word in words:
        assert word in findings[code].message
    assert ("counts-differ" in findings) == (code == "counts-differ")


def without_distractor(root: Path) -> None:
    (root / GALLERY / "0000_c1s1_000000_00.jpg").unlink()


def swapped_without_distractor(root: Path) -> None:
    without_distractor(root)
    swapped(root)


def one_camera(root: Path) -> None:
    for file in [*(root / QUERY).glob("*_c2*"), *(root / GALLERY).glob("*_c2*")]:
        file.unlink()


def own_camera_only(root: Path) -> None:
    """Identities 5 and 6 before camera 1 alone, 7 and 8 before camera 2."""
    for file in [*(root / QUERY).iterdir(), *(root / GALLERY).iterdir()]:
        if file.name.startswith(("0005_c2", "0006_c2", "0007_c1", "0008_c1")):
            file.unlink()


def gallery_half_copied(root: Path) -> None:
    for file in (root / GALLERY).iterdir():
        if file.name.startswith(("0005_c2", "0008")):
            file.unlink()


def disjoint(root: Path) -> None:
    for file in list((root / QUERY).iterdir()):
        file.rename(root / QUERY / f"1{file.name[1:]}")


def distractors_in_train(root: Path) -> None:
    for shot in (1, 2):
        draw(root / TRAIN / f"0000_c{shot}s1_00000{shot}_00.jpg")


def distractor_in_query(root: Path) -> None:
    draw(root / QUERY / "0000_c2s1_000001_00.jpg")


def training_in_test(root: Path) -> None:
    """As people do who divide images, not identities."""
    for file in list((root / TRAIN).glob("000[12]*000001*")):
        file.rename(root / GALLERY / file.name)


def one_identity(root: Path) -> None:
    for file in (root / TRAIN).glob("000[234]*"):
        file.unlink()


def lone_images(root: Path) -> None:
    for file in sorted((root / TRAIN).glob("000[12]*")):
        if "c1s1_000001" not in file.name:
            file.unlink()


def few_images(root: Path) -> None:
    (root / TRAIN / FIRST).unlink()


def one_camera_in_training(root: Path) -> None:
    for file in (root / TRAIN).glob("*_c2*"):
        file.unlink()


def empty(root: Path) -> None:
    (root / TRAIN / FIRST).write_bytes(b"")
    (root / QUERY / "0005_c1s1_000000_00.jpg").write_bytes(b"")


def cut_off(root: Path) -> None:
    file = root / TRAIN / FIRST
    file.write_bytes(file.read_bytes()[:200])


def scrambled(root: Path) -> None:
    """Beginning and end of a JPEG without what is between."""
    (root / TRAIN / FIRST).write_bytes(b"\xff\xd8" + 500 * b"\x00" + b"\xff\xd9")


def web_page(root: Path) -> None:
    (root / TRAIN / FIRST).write_text("<!DOCTYPE html><title>Sign in to download</title>")


def lfs_pointer(root: Path) -> None:
    (root / TRAIN / FIRST).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n")


def notes(root: Path) -> None:
    (root / TRAIN / FIRST).write_text("camera 1 was moved on Tuesday")


def dangling_link(root: Path) -> None:
    (root / TRAIN / FIRST).unlink()
    (root / TRAIN / FIRST).symlink_to(root / "elsewhere.jpg")


def folder_named_as_image(root: Path) -> None:
    (root / TRAIN / FIRST).unlink()
    (root / TRAIN / FIRST).mkdir()


def tiny(root: Path) -> None:
    draw(root / TRAIN / FIRST, size=(32, 9))
    draw(root / GALLERY / "0000_c1s1_000000_00.jpg", size=(12, 40))


def copied_under_another_name(root: Path) -> None:
    shutil.copy(root / TRAIN / FIRST, root / TRAIN / "0001_c1s1_000009_00.jpg")


def copied_to_another_identity(root: Path) -> None:
    shutil.copy(root / TRAIN / FIRST, root / TRAIN / "0002_c1s1_000009_00.jpg")


def copied_to_another_camera(root: Path) -> None:
    shutil.copy(root / GALLERY / "0005_c1s1_000001_00.jpg", root / GALLERY / "0005_c2s1_000009_00.jpg")


def training_image_as_query(root: Path) -> None:
    shutil.copy(root / TRAIN / FIRST, root / QUERY / "0005_c1s1_000009_00.jpg")


def query_in_gallery_as_another(root: Path) -> None:
    shutil.copy(root / QUERY / "0005_c1s1_000000_00.jpg", root / GALLERY / "0006_c1s1_000009_00.jpg")


def query_in_gallery_by_another_camera(root: Path) -> None:
    shutil.copy(root / QUERY / "0005_c1s1_000000_00.jpg", root / GALLERY / "0005_c2s1_000009_00.jpg")


LAYOUTS = [
    (
        swapped_without_distractor,
        "warning",
        "query-larger-than-gallery",
        ["query has 16", "gallery 8", "swapped"],
    ),
    (
        one_camera,
        "error",
        "one-camera",
        ["all 4 queries", "own camera only", "by camera 1", "same_camera=keep"],
    ),
    (own_camera_only, "error", "no-query-has-a-match", ["all 4 queries", "own camera only", "0005_c1s1"]),
    (
        gallery_half_copied,
        "warning",
        "queries-without-match",
        ["3 of 8 queries", "1 show identities that the gallery has by the query's own", "2 show", "0008_c1"],
    ),
    (disjoint, "error", "disjoint-identities", ["all 8 queries", "does not have", "1005_c1"]),
    (
        distractors_in_train,
        "error",
        "distractors-in-train",
        ["2 of 18 train images", "0000_c1", "as one identity"],
    ),
    (distractor_in_query, "error", "distractors-in-query", ["1 of 9 query images", "0000_c2"]),
    (
        training_in_test,
        "error",
        "train-identities-in-test",
        ["2 of 4 training identities", "first is 1", "0001_c1"],
    ),
    (one_identity, "error", "one-identity", ["4 training images", "0001_c1"]),
    (lone_images, "warning", "lone-images", ["2 of 4 training identities", "single image", "such as 1 ("]),
    (few_images, "warning", "few-images", ["1 of 4 training identities", "images_per_identity=4"]),
    (one_camera_in_training, "warning", "one-camera-identities", ["all 4 training identities", "one camera"]),
    (empty, "error", "empty-files", ["2 of 41 files are empty", FIRST, "on_bad_image=skip"]),
    (cut_off, "error", "broken-images", ["1 of 41 files", FIRST, "breaks off after 200 bytes"]),
    (scrambled, "error", "broken-images", ["1 of 41 files", FIRST, "OpenCV"]),
    (web_page, "error", "not-images", ["1 of 41 files", FIRST, "web page"]),
    (lfs_pointer, "error", "not-images", [FIRST, "Git LFS pointer"]),
    (notes, "error", "not-images", [FIRST, "a text"]),
    (dangling_link, "error", "missing-files", ["1 of 41 files are not there", FIRST]),
    (folder_named_as_image, "error", "unreadable-files", [FIRST, "directory"]),
    (tiny, "warning", "tiny-images", ["2 of 41 images", "below 16 pixels, down to 9", FIRST]),
    (copied_under_another_name, "warning", "duplicate-images", ["1 of 17 train images", FIRST, "000009"]),
    (
        copied_to_another_identity,
        "warning",
        "contradicting-labels",
        ["train gives two labels to 1", "identity 2, camera 1"],
    ),
    (
        copied_to_another_camera,
        "warning",
        "contradicting-labels",
        ["gallery gives two labels to 1", "identity 5, camera 2"],
    ),
    (
        training_image_as_query,
        "error",
        "train-images-in-test",
        ["1 of 16 training images", "identity 5, camera 1"],
    ),
    (query_in_gallery_as_another, "error", "queries-in-gallery", ["1 of 8 queries", "identity 6, camera 1"]),
    (
        query_in_gallery_by_another_camera,
        "error",
        "queries-in-gallery",
        ["1 of 8 queries", "identity 5, camera 2"],
    ),
]


@pytest.mark.parametrize(
    ("break_it", "level", "code", "words"), LAYOUTS, ids=[layout[0].__name__ for layout in LAYOUTS]
)
def test_a_broken_layout_is_named(
    market: Path, break_it: Callable[[Path], None], level: str, code: str, words: list[str]
) -> None:
    break_it(market)
    images = 4 if code == "few-images" else 1
    findings = grave(check(read_market1501(market), counts={}, images_per_identity=images))
    assert set(findings) == {code}
    assert findings[code].level == level
    for word in words:
        assert word in findings[code].message
    assert findings[code].examples


def test_bad_images_are_warnings_where_they_are_left_out(market: Path) -> None:
    empty(market)
    web_page(market)
    findings = grave(check(read_market1501(market), counts=COUNTS, skip_bad=True))
    assert {finding.level for finding in findings.values()} == {"warning"}
    assert "they are left out" in findings["not-images"].message


def test_without_files_only_names_are_looked_at(market: Path) -> None:
    empty(market)
    copied_to_another_identity(market)
    assert grave(check(read_market1501(market), counts={}, files=False)) == {}
    training_in_test(market)
    assert set(grave(check(read_market1501(market), counts={}, files=False))) == {"train-identities-in-test"}


def test_errors_come_first_and_examples_are_ten(market: Path) -> None:
    for file in (market / TRAIN).iterdir():
        file.write_bytes(b"")
    tiny(market)
    gallery_half_copied(market)
    findings = check(read_market1501(market), counts={})
    assert [finding.level for finding in findings] == ["error", "warning", "warning"]
    assert "15 of 35 files" in findings[0].message
    assert len(findings[0].examples) == 10


def test_a_test_that_keeps_the_own_camera_needs_no_other(market: Path) -> None:
    one_camera(market)
    assert check(read_market1501(market), counts={}, same_camera="keep") == []


def test_queries_may_lie_in_the_gallery_under_their_own_label(market: Path) -> None:
    """VeRi has its queries in the gallery too, CUHK03's classic protocol has one list for both."""
    for file in (market / QUERY).iterdir():
        shutil.copy(file, market / GALLERY / file.name)
    benchmark = read_market1501(market)
    assert check(benchmark, counts={}) == []
    assert check(replace(benchmark, query=benchmark.query, gallery=benchmark.query), counts={}) == []


def test_queries_of_unknown_cameras_must_not_lie_in_the_gallery(market: Path) -> None:
    benchmark = read_market1501(market)
    unknown = [replace(record, camera=-1) for record in benchmark.query]
    findings = check(replace(benchmark, query=unknown, gallery=unknown), counts={})
    assert [finding.code for finding in findings] == ["queries-in-gallery", "unknown-cameras"]
    assert "all 8 queries" in findings[0].message


@pytest.mark.parametrize("part", ["train", "query", "gallery"])
def test_an_empty_list_is_said(market: Path, part: str) -> None:
    benchmark: Benchmark = replace(read_market1501(market), **{part: []})
    assert [(each.code, each.message.split()[0]) for each in check(benchmark, counts={})] == [
        ("empty-list", part)
    ]


def test_gaps_in_the_numbering_are_a_note(market: Path) -> None:
    """Market-1501's training numbers have gaps, which the test fills."""
    for identity in range(9, 30):
        for camera in (1, 2):
            for shot in (0, 1):
                draw(market / TRAIN / f"{identity:04d}_c{camera}s1_{shot:06d}_00.jpg")
    assert check(read_market1501(market), counts={}) == []
    for file in (market / TRAIN).glob("0017*"):
        file.unlink()
    (finding,) = check(read_market1501(market), counts={})
    assert (finding.level, finding.code) == ("note", "numbering-gaps")
    assert "1 of the identities 1 to 29 have no image: 17." in finding.message


def add_line(file: Path, line: str) -> None:
    file.write_text(file.read_text() + line + "\n")


def test_a_list_with_two_labels_for_a_file(msmt: Path) -> None:
    add_line(msmt / "list_train.txt", "0000/0000_000_01_0303morning_0015_0.jpg 1")
    findings = grave(check(read_msmt17(msmt), counts={}))
    assert set(findings) == {"contradicting-labels"}
    assert findings["contradicting-labels"].level == "error"
    assert "identity 1, camera 1" in findings["contradicting-labels"].message


def test_a_list_with_a_file_twice(msmt: Path) -> None:
    add_line(msmt / "list_gallery.txt", "0002/0002_001_01_0303morning_0015_0.jpg 2")
    findings = grave(check(read_msmt17(msmt), counts={}))
    assert set(findings) == {"duplicate-images"}
    assert "1 of 13 gallery images" in findings["duplicate-images"].message
    assert "listed twice" in findings["duplicate-images"].message


def test_training_folder_copied_over_the_test(msmt: Path) -> None:
    """MSMT17 numbers training and test apart: only what the files hold betrays it."""
    for identity in ("0000", "0001"):
        shutil.copytree(msmt / "train" / identity, msmt / "test" / identity, dirs_exist_ok=True)
    findings = grave(check(read_msmt17(msmt), counts={}))
    assert set(findings) == {"train-images-in-test"}
    assert "all 8 training images" in findings["train-images-in-test"].message


def test_both_releases_of_msmt17_in_one_folder(msmt: Path) -> None:
    msmt17(msmt, release="V2")
    with pytest.raises(ValueError, match="both releases"):
        read_msmt17(msmt)


def test_training_of_one_release_and_test_of_the_other(msmt: Path) -> None:
    (msmt / "test").rename(msmt / "mask_test_v2")
    with pytest.raises(FileNotFoundError, match=r"no pair of image folders.*mask_test_v2/"):
        read_msmt17(msmt)


def test_duke_copied_over_market1501(market: Path) -> None:
    draw(market / TRAIN / "0009_c8_f0046182.jpg")
    with pytest.raises(ValueError, match=r"1 of 17 images.*camera 1 to 6: 0009_c8"):
        read_market1501(market)


def test_duke_with_training_pictures_in_the_test(tmp_path: Path) -> None:
    root = tmp_path / "duke"
    for identity in (1, 2, 3, 4):
        folders = [TRAIN, TRAIN] if identity < 3 else [QUERY, GALLERY]
        for camera, folder in enumerate(folders, 1):
            draw(root / folder / f"{identity:04d}_c{camera}_f{identity:07d}.jpg")
    assert check(read_duke(tmp_path), counts={}) == []
    shutil.copy(root / TRAIN / "0001_c1_f0000001.jpg", root / GALLERY / "0001_c1_f0000001.jpg")
    assert set(grave(check(read_duke(tmp_path), counts={}))) == {
        "train-identities-in-test",
        "train-images-in-test",
    }


def test_own_folders_divided_by_image(tmp_path: Path) -> None:
    """Unlike the published ones they may be any format, and nobody says how many there should be."""
    for part, shots in (("train", (0, 1)), ("query", (2,)), ("gallery", (3,))):
        for name in ("anna", "bert"):
            for shot in shots:
                draw(tmp_path / part / name / f"{shot}_c{shot}.png")
    findings = grave(check(read_own(tmp_path), counts={}))
    assert set(findings) == {"train-identities-in-test"}
    assert "all 2 training identities" in findings["train-identities-in-test"].message


def test_cuhk03_unpacked_and_then_damaged(tmp_path: Path) -> None:
    """Its classic protocol has one list for query and gallery; the miniature's images are 5 x 4."""
    root = cuhk03(tmp_path / "cuhk03")
    assert set(grave(check(read_cuhk03(tmp_path, protocol="classic"), counts={}))) == {"tiny-images"}
    image = root / "images_detected" / "1_002_1_01.png"
    image.write_bytes(image.read_bytes()[:-30])
    findings = grave(check(read_cuhk03(tmp_path, protocol="classic"), counts={}))
    assert set(findings) == {"tiny-images", "broken-images"}
    assert f"1 of 32 files are broken: {image} breaks off" in findings["broken-images"].message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_of_somebody_else(market: Path) -> None:
    (market / TRAIN / FIRST).chmod(0)
    assert set(grave(check(read_market1501(market), counts={}))) == {"unreadable-files"}


def test_a_picture_beyond_opencvs_limit_is_broken(market: Path) -> None:
    """A PNG whose header claims more pixels than OpenCV agrees to: it raises an error of its own."""
    chunk = b"IHDR" + (2**20).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    crc = zlib.crc32(chunk).to_bytes(4, "big")
    file = market / "huge.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + chunk + crc + b"\0\0\0\0IEND\xaeB`\x82")
    assert look(Record(file, 1, 0)).fault == "broken-images"
