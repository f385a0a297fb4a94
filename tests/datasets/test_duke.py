"""DukeMTMC-reID in every layout it is found in, and the ways in which it breaks."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reid.datasets import Record, read_duke

NAMES = {
    "bounding_box_train": ["0005_c8_f0052120.jpg", "0001_c2_f0046182.jpg"],
    "query": ["0005_c2_f0046985.jpg", "7140_c1_f0046182.jpg"],
    "bounding_box_test": ["0002_c3_f0048000.jpg", "0005_c5_f0051341.jpg", "7140_c8_f0171002.jpg"],
}
LAYOUTS = [
    "dukemtmc-reid/DukeMTMC-reID",
    "dukemtmc-reid/DukeMTMC-reid",
    "dukemtmc-reid",
    "DukeMTMC-reID",
    "DukeMTMC-reid",
    "duke/DukeMTMC-reID",
    "dukemtmcreid",
    "duke",
    ".",
]


def lay_out(folder: Path) -> Path:
    for part, names in NAMES.items():
        (folder / part).mkdir(parents=True)
        for name in [*names, "Thumbs.db"]:
            (folder / part / name).touch()
    return folder


def brief(records: Sequence[Record]) -> list[tuple[str, int, int]]:
    return [(record.path.name, record.identity, record.camera) for record in records]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_in_order(tmp_path: Path, layout: str) -> None:
    lay_out(tmp_path / layout)

    benchmark = read_duke(tmp_path)

    assert benchmark.name == "duke"
    assert brief(benchmark.train) == [("0001_c2_f0046182.jpg", 1, 1), ("0005_c8_f0052120.jpg", 5, 7)]
    assert brief(benchmark.query) == [("0005_c2_f0046985.jpg", 5, 1), ("7140_c1_f0046182.jpg", 7140, 0)]
    assert [record.camera for record in benchmark.gallery] == [2, 4, 7]
    assert all(record.path.is_file() for record in benchmark.gallery)


def test_a_missing_benchmark_says_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"duke was not found.*that holds dukemtmc-reid/Duke"):
        read_duke(tmp_path)


@pytest.mark.parametrize("name", ["0000_c1_f0046182.jpg", "0001_c9_f0046182.jpg", "0001_c0_f0046182.jpg"])
def test_names_of_another_benchmark_are_refused(tmp_path: Path, name: str) -> None:
    (lay_out(tmp_path) / "query" / name).touch()
    with pytest.raises(ValueError, match=rf"1 of 3 .*camera 1 to 8: {name}"):
        read_duke(tmp_path)
