"""A table of images, csv or parquet: who is on each, and what else its columns say."""

import csv
from pathlib import Path
from typing import Any

from reid.datasets.market1501 import seen_in
from reid.datasets.records import PARTS

COLUMNS = ("image", "identity", "camera", "split")  # all others are attributes
SPLITS = (*PARTS, "test")

Row = dict[str, Any]  # image: Path; identity, camera, split ("" if not said) and attributes: text


def table_rows(path: Path, folder: Path) -> list[Row]:
    """The rows of a table, checked: every image exists, every value that is needed is there."""
    if not path.is_file():
        raise FileNotFoundError(
            f"data.table={path} does not exist, {path.parent} holds {seen_in(path.parent)}"
        )
    read = {".csv": read_csv, ".parquet": read_parquet}.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"data.table={path}: use a file that ends in .csv or .parquet")
    rows = read(path)
    if not rows:
        raise ValueError(f"{path} has no row: give one for each image")
    columns = list(rows[0])
    if missing := [column for column in ("image", "identity") if column not in columns]:
        raise ValueError(
            f"{path} has no column {' and no '.join(missing)}, its columns are {', '.join(columns)}. Needed"
            " are image and identity; camera and split may be there, and all others are attributes"
        )
    optional = {"camera", *(() if any(row.get("split") for row in rows) else ("split",))}
    for number, row in enumerate(rows, 2):  # a csv's line: the first names the columns
        if empty := [column for column in columns if column not in optional and not row[column]]:
            raise ValueError(f"{path}, row {number}, has no {empty[0]}: complete it, or take the row out")
        split = row.get("split", "").lower()
        if split not in ("", *SPLITS):
            raise ValueError(f"{path}, row {number}: split={split!r}, use {', '.join(SPLITS)}")
        row.update(image=folder / row["image"], camera=row.get("camera", ""), split=split)
    if absent := [row["image"] for row in rows if not row["image"].is_file()]:
        raise FileNotFoundError(
            f"{len(absent):,} of {len(rows):,} images of {path} do not exist, the first is {absent[0]}. Paths"
            f" are relative to data.path={folder}"
        )
    return rows


def read_csv(path: Path) -> list[Row]:
    """Rows of text; fields are separated by whichever of , ; and tab the first line has most of."""
    with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets begin with a byte order mark
        head = file.readline()
        file.seek(0)
        reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count), restval="")
        rows = [{key.strip(): value.strip() for key, value in row.items() if key} for row in reader]
    return rows


def read_parquet(path: Path) -> list[Row]:
    """The same, from columns of any type."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ValueError(
            f"{path} needs pyarrow to be read: pip install pyarrow, or write the table as .csv"
        ) from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as error:
        raise ValueError(f"{path} is no parquet file that can be read ({error})") from error
    return [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]
