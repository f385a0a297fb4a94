"""Annotations of keypoints in miniature: both layouts, missing pictures, rows that do not fit."""

import logging
from pathlib import Path

import numpy as np
import pytest

from reid.datasets.vehicles import Sizes, draw_vehicles
from reid.datasets.veri_pose import read_annotations, read_veri_pose

TRAIN = ("0001_c001_00016450_0.jpg", "0001_c003_00016460_0.jpg", "0376_c019_00000005_1.jpg")
TEST = ("0010_c002_00000001_0.jpg",)


def row(name: str, *, first: int = 7, visibility: str = "1", columns: int = 111) -> str:
    points = [word for k in range(36) for word in (str(first + k), str(2 * k), visibility if k < 30 else "0")]
    return ",".join([name, "120", "90", *points][:columns])


def lay_out(root: Path, *, train: str = "images/image_train", test: str = "images/image_test") -> Path:
    annot = root / "veri" / "annot"
    annot.mkdir(parents=True)
    for part, names, place in (("train", TRAIN, train), ("test", TEST, test)):
        (annot / f"label_{part}.csv").write_text("".join(f"{row(name)}\n" for name in names))
        (root / "veri" / place).mkdir(parents=True, exist_ok=True)
        for name in names:
            (root / "veri" / place / name).write_bytes(b"")
    return root / "veri"


@pytest.mark.parametrize(
    ("train", "test"), [("images/image_train", "images/image_test"), ("image_train", "image_train")]
)
def test_both_layouts(tmp_path: Path, train: str, test: str) -> None:
    folder = lay_out(tmp_path, train=train, test=test)
    for root in (tmp_path, folder):
        found = read_veri_pose(root)
        assert [record.path for record in found.train] == [folder / train / name for name in TRAIN]
        assert [record.path for record in found.test] == [folder / test / name for name in TEST]
        assert [(r.identity, r.camera) for r in found.train] == [(1, 0), (1, 2), (376, 18)]
        assert found.missing == {"train": [], "test": []}
        keypoints = found.test[0].keypoints
        assert keypoints is not None
        assert keypoints.shape == (36, 3)
        assert keypoints[0].tolist() == [7, 0, 1]
        assert keypoints[35].tolist() == [42, 70, 0]


def test_missing_pictures_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = lay_out(tmp_path)
    (folder / "images" / "image_train" / TRAIN[1]).unlink()
    with caplog.at_level(logging.WARNING):
        found = read_veri_pose(tmp_path)
    assert [record.path.name for record in found.train] == [TRAIN[0], TRAIN[2]]
    assert found.missing["train"] == [TRAIN[1]]
    assert "1 of 3 pictures" in caplog.text
    assert TRAIN[1] in caplog.text
    (folder / "images" / "image_test" / TEST[0]).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 1 pictures.*image_train"):
        read_veri_pose(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("a.jpg") + ",0", "row 2, has 112 columns, as a table for MultiTaskNet has; 111 are expected"),
        (row("a.jpg", columns=110), "row 2, has 110 columns; 111"),
        (row("a.jpg", visibility="2"), r"row 2 \(a\.jpg\).*visibility other than 0 and 1"),
        (row("a.jpg", visibility="nan"), r"row 2 \(a\.jpg\)"),
        (row("a.jpg", visibility="x"), "something other than numbers"),
        (row(TRAIN[0]), f"1 pictures twice, the first is {TRAIN[0]}"),
    ],
)
def test_rows_that_do_not_fit(tmp_path: Path, line: str, message: str) -> None:
    table = tmp_path / "label_train.csv"
    table.write_text(f"{row(TRAIN[0])}\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_annotations(table)


def test_empty_and_absent_tables(tmp_path: Path) -> None:
    (tmp_path / "label.csv").write_text("\n")
    with pytest.raises(ValueError, match="has no row"):
        read_annotations(tmp_path / "label.csv")
    with pytest.raises(FileNotFoundError, match=r"veri_pose was not found.*label_train\.csv"):
        read_veri_pose(tmp_path)


def test_the_generated_vehicles_have_such_tables(tmp_path: Path) -> None:
    sizes = Sizes(train_identities=6, test_identities=1, passes=2, shots=1)
    folder = draw_vehicles(tmp_path, sizes=sizes, progress=False)
    found = read_veri_pose(folder, name="vehicles_pose")
    assert found.name == "vehicles_pose"
    assert (len(found.train), len(found.test)) == (10, 2)  # of six vehicles the second is held out
    assert {r.identity for r in found.train}.isdisjoint({r.identity for r in found.test})
    for record in (*found.train, *found.test):
        assert record.keypoints is not None
        assert set(np.unique(record.keypoints[:, 2])) <= {0.0, 1.0}
        assert record.path.is_file()
