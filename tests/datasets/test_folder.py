"""The user's own pictures, in the tables and folders that people have, and the ways in which they break."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from reid.datasets import Record, read_own

ROWS = [
    ("a/1.jpg", "anna", "door", "train", "red"),
    ("a/2.jpg", "anna", "yard", "train", "red"),
    ("b/1.jpg", "bert", "door", "query", "blue"),
    ("b/2.png", "bert", "yard", "gallery", "blue"),
    ("c/1.jpg", "carl", "", "gallery", "red"),
]
COLUMNS = ("image", "identity", "camera", "split", "coat")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def write_table(
    root: Path, rows: Sequence[Sequence[str]] = ROWS, columns: Sequence[str] = COLUMNS, delimiter: str = ","
) -> Path:
    touch(root, *(row[0] for row in rows if row[0]))
    with (root / "images.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([columns, *rows])
    return Path("images.csv")


def brief(records: Sequence[Record]) -> list[tuple[str, int, int]]:
    return [(record.path.name, record.identity, record.camera) for record in records]


def names(root: Path, records: Sequence[Record]) -> list[str]:
    return [str(record.path.relative_to(root)) for record in records]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_says_all(tmp_path: Path, delimiter: str) -> None:
    benchmark = read_own(tmp_path, table=write_table(tmp_path, delimiter=delimiter))
    assert brief(benchmark.train) == [("1.jpg", 1, 0), ("2.jpg", 1, 1)]
    assert brief(benchmark.query) == [("1.jpg", 2, 0)]
    assert brief(benchmark.gallery) == [("2.png", 2, 1), ("1.jpg", 3, -1)]
    assert benchmark.attributes == {"coat": ["blue", "red"]}
    assert [record.attributes["coat"] for record in [*benchmark.train, *benchmark.query]] == [1, 1, 0]


def test_a_spreadsheets_csv_begins_with_a_mark(tmp_path: Path) -> None:
    table = tmp_path / write_table(tmp_path)
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    assert len(read_own(tmp_path, table=table).train) == 2


def test_a_parquet_table_is_the_same(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    from_csv = read_own(tmp_path, table=write_table(tmp_path))
    columns = dict(zip(COLUMNS, zip(*ROWS, strict=True), strict=True))
    columns["camera"] = [camera or None for camera in columns["camera"]]
    parquet.write_table(pyarrow.table(columns), tmp_path / "images.parquet")
    assert read_own(tmp_path, table=Path("images.parquet")) == from_csv


def test_whole_numbers_stay_and_junk_goes(tmp_path: Path) -> None:
    rows = [("1.jpg", "17", "6", "query"), ("2.jpg", "17", "2", "gallery"), ("3.jpg", "-1", "2", "gallery")]
    benchmark = read_own(tmp_path, table=write_table(tmp_path, rows, COLUMNS[:4]))
    assert brief(benchmark.query) == [("1.jpg", 17, 1)], "cameras 2 and 6 are 0 and 1"
    assert brief(benchmark.gallery) == [("2.jpg", 17, 0)]
    assert not benchmark.train, "a set to evaluate on"


def test_without_a_split_identities_are_divided_and_so_are_test_images(tmp_path: Path) -> None:
    rows = [(f"{who}/{camera}{shot}.jpg", who, camera) for who in "abcd" for camera in "xy" for shot in "12"]
    table = write_table(tmp_path, rows, COLUMNS[:3])
    benchmark = read_own(tmp_path, table=table)
    assert len(benchmark.train) == 8
    assert len(benchmark.query) == 4, "the first of each identity and camera"
    assert len(benchmark.gallery) == 4
    train, test = ({r.identity for r in records} for records in (benchmark.train, benchmark.gallery))
    assert len(train) == len(test) == 2
    assert not train & test
    assert all(record.path.stem.endswith("1") for record in benchmark.query)
    assert read_own(tmp_path, table=table, test_share=1.0).train == []
    seeds = {tuple(names(tmp_path, read_own(tmp_path, table=table, seed=seed).train)) for seed in range(9)}
    assert len(seeds) > 1


@pytest.mark.parametrize(
    ("images", "query"),
    [
        (["x1", "x2", "y1"], ["x1"]),  # y1 stays, for x1 to be found by another camera
        (["x1", "y1"], ["x1"]),
        (["x1", "x2", "y1", "y2"], ["x1", "y1"]),
        (["x1"], []),
    ],
)
def test_a_query_leaves_something_to_find(tmp_path: Path, images: list[str], query: list[str]) -> None:
    rows = [(f"{image}.jpg", "7", image[0], "test") for image in images]
    benchmark = read_own(tmp_path, table=write_table(tmp_path, rows, COLUMNS[:4]))
    assert [record.path.stem for record in benchmark.query] == query
    assert len(benchmark.query) + len(benchmark.gallery) == len(images)


@pytest.mark.parametrize("wrapper", ["", "inner/", "a/b/"])
@pytest.mark.parametrize(
    ("train", "query", "gallery"),
    [
        ("train", "query", "gallery"),
        ("train", "query", "test"),
        ("bounding_box_train", "query", "bounding_box_test"),
    ],
)
def test_folders_of_lists(tmp_path: Path, wrapper: str, train: str, query: str, gallery: str) -> None:
    files = [f"{train}/7/0007_c1_1.jpg", f"{train}/8/cam2_9.JPG", f"{query}/9/x.jpg", f"{gallery}/9/3/y.png"]
    touch(tmp_path, *(wrapper + file for file in files), f"{wrapper}{train}/7/Thumbs.db")
    benchmark = read_own(tmp_path)
    assert brief(benchmark.train) == [("0007_c1_1.jpg", 7, 0), ("cam2_9.JPG", 8, 1)]
    assert brief(benchmark.query) == [("x.jpg", 9, -1)], "nothing says which camera"
    assert brief(benchmark.gallery) == [("y.png", 9, 2)], "a folder within the identity's is its camera"


def test_a_folder_an_identity_is_enough(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{who}/{shot}.jpg" for who in ("anna", "bert", "carl", "dora") for shot in range(3)))
    benchmark = read_own(tmp_path)
    assert len(benchmark.train) == 6
    assert len(benchmark.query) == 2
    assert len(benchmark.gallery) == 4
    assert {record.camera for record in benchmark.query} == {-1}


def test_an_undivided_test_folder_is_divided(tmp_path: Path) -> None:
    touch(tmp_path, "train/1/a.jpg", "test/2/a_c1.jpg", "test/2/b_c2.jpg", "test/3/a_c1.jpg")
    benchmark = read_own(tmp_path)
    assert names(tmp_path, benchmark.query) == ["test/2/a_c1.jpg"]
    assert names(tmp_path, benchmark.gallery) == ["test/2/b_c2.jpg", "test/3/a_c1.jpg"]


def test_the_camera_pattern_is_the_users(tmp_path: Path) -> None:
    touch(tmp_path, "train/1/view-b.jpg", "query/2/view-a.jpg", "gallery/2/view-b.jpg")
    benchmark = read_own(tmp_path, camera_pattern="view-(.)")
    assert [record.camera for record in [*benchmark.query, *benchmark.gallery]] == [0, 1]


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        (("file", "identity"), ("1.jpg", "7"), "no column image, its columns are file, identity"),
        (("image", "camera"), ("1.jpg", "7"), "no column identity"),
        (COLUMNS, ("1.jpg", "", "x", "train", "red"), "row 2, has no identity"),
        (COLUMNS, ("1.jpg", "7", "x", "train", ""), "row 2, has no coat"),
        (COLUMNS, ("1.jpg", "7", "x", "val", "red"), "split='val', use train, query, gallery, test"),
    ],
)
def test_a_table_that_does_not_do(tmp_path: Path, columns: list[str], row: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_own(tmp_path, table=write_table(tmp_path, [row], columns))


def test_a_split_is_said_of_all_or_of_none(tmp_path: Path) -> None:
    rows = [("1.jpg", "7", "x", "train"), ("2.jpg", "8", "x", "")]
    with pytest.raises(ValueError, match="row 3, has no split"):
        read_own(tmp_path, table=write_table(tmp_path, rows, COLUMNS[:4]))


def test_missing_images_are_counted(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    (tmp_path / "b" / "2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 5 images .*b/2\.png.*relative to data\.path"):
        read_own(tmp_path, table=table)


@pytest.mark.parametrize("content", ["", "image,identity\n"])
def test_an_empty_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "images.csv").write_text(content)
    with pytest.raises(ValueError, match="has no row"):
        read_own(tmp_path, table=Path("images.csv"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"table": Path("other.csv")}, r"other\.csv does not exist, .* holds images.csv, images.xlsx"),
        ({"table": Path("images.xlsx")}, r"ends in \.csv or \.parquet"),
        ({"camera_pattern": "c("}, "regular expression"),
        ({"camera_pattern": "c1"}, "no group"),
        ({"test_share": 2.0}, "0 to 1"),
    ],
)
def test_options_that_do_not_do(tmp_path: Path, settings: dict, message: str) -> None:
    touch(tmp_path, "images.csv", "images.xlsx")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_own(tmp_path, **settings)


def test_no_folder_and_no_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"data\.path=DIR"):
        read_own(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no image in folders.*there is lone\.jpg.*data\.table="):
        read_own(touch(tmp_path, "lone.jpg"))


def test_a_parquet_file_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "images.parquet").write_bytes(b"no")
    with pytest.raises(ValueError, match="no parquet file"):
        read_own(tmp_path, table=Path("images.parquet"))
