"""Market-1501 in every layout it is found in, with junk and distractors, and the ways in which it breaks."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from reid.datasets import Benchmark, Counts, Record, read_market1501, verify_counts

NAMES = {
    "bounding_box_train": ["0007_c3s2_000451_03.jpg", "0002_c1s1_000451_03.jpg", "0002_c6s1_000776_01.jpg"],
    "query": ["1500_c2s1_000451_00.jpg", "0001_c1s1_001051_00.jpg"],
    "bounding_box_test": [
        "-1_c1s1_000401_03.jpg",  # junk
        "0000_c4s1_000151_01.jpg",  # distractor
        "1500_c5s1_000451_01.jpg",
        "0001_c2s1_001051_00.jpg",
    ],
}
LAYOUTS = ["market1501/Market-1501-v15.09.15", "Market-1501-v15.09.15", "market1501", "."]


def lay_out(folder: Path) -> Path:
    """Ten lines of Market-1501: reading a benchmark opens no image."""
    for part, names in NAMES.items():
        (folder / part).mkdir(parents=True)
        for name in [*names, "Thumbs.db", "._0002_c1s1_000451_03.jpg"]:
            (folder / part / name).touch()
    return folder


def brief(records: Sequence[Record]) -> list[tuple[str, int, int]]:
    return [(record.path.name, record.identity, record.camera) for record in records]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_in_order_without_junk(tmp_path: Path, layout: str) -> None:
    lay_out(tmp_path / layout)

    benchmark = read_market1501(tmp_path)

    assert benchmark.name == "market1501"
    assert brief(benchmark.train) == [
        ("0002_c1s1_000451_03.jpg", 2, 0),
        ("0002_c6s1_000776_01.jpg", 2, 5),
        ("0007_c3s2_000451_03.jpg", 7, 2),
    ]
    assert brief(benchmark.query) == [("0001_c1s1_001051_00.jpg", 1, 0), ("1500_c2s1_000451_00.jpg", 1500, 1)]
    assert brief(benchmark.gallery) == [
        ("0000_c4s1_000151_01.jpg", 0, 3),
        ("0001_c2s1_001051_00.jpg", 1, 1),
        ("1500_c5s1_000451_01.jpg", 1500, 4),
    ]
    assert all(record.path.exists() for record in benchmark.gallery)
    assert Counts.of(benchmark.train) == Counts(images=3, identities=2, cameras=3)


def test_a_missing_benchmark_says_what_is_there_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "market1501" / "Market").mkdir(parents=True)

    with pytest.raises(
        FileNotFoundError, match=r"holds Market/.*bounding_box_train.*v15.*paths\.data=.*REID_DATA"
    ):
        read_market1501(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist.*paths\.data="):
        read_market1501(tmp_path / "nowhere")


def test_a_missing_or_empty_part_is_named(tmp_path: Path) -> None:
    query = lay_out(tmp_path / "market1501") / "query"
    for file in query.glob("[01]*.jpg"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match=r"query has no images.*Thumbs\.db"):
        read_market1501(tmp_path)

    query.rename(tmp_path / "market1501" / "queries")
    with pytest.raises(FileNotFoundError, match=r"not whole: query is missing, there is .*queries/"):
        read_market1501(tmp_path)


@pytest.mark.parametrize(
    "name", ["holiday.jpg", "1502_c1s1_000001_00.jpg", "0002_c7s1_000001_00.jpg", "-2_c1.jpg"]
)
def test_names_of_another_benchmark_are_refused(tmp_path: Path, name: str) -> None:
    (lay_out(tmp_path) / "query" / name).touch()
    with pytest.raises(ValueError, match=rf"1 of 3 .*0 to 1501 and camera 1 to 6: {name}"):
        read_market1501(tmp_path)


def test_ranges_belong_to_the_benchmark(tmp_path: Path) -> None:
    (lay_out(tmp_path) / "query" / "7140_c8_f0046182.jpg").touch()  # as DukeMTMC-reID names its files

    benchmark = read_market1501(tmp_path, name="duke", identities=range(7141), cameras=range(1, 9))

    assert brief(benchmark.query)[-1] == ("7140_c8_f0046182.jpg", 7140, 7)


def test_many_strange_names_are_counted_and_five_shown(tmp_path: Path) -> None:
    folder = lay_out(tmp_path) / "query"
    for number in range(9):
        (folder / f"holiday{number}.jpg").touch()
    with pytest.raises(ValueError, match=r"9 of 11 .*holiday4\.jpg\.") as error:
        read_market1501(tmp_path)
    assert "holiday5" not in str(error.value)


def published(folder: Path) -> Benchmark:
    return read_market1501(lay_out(folder))


def test_published_counts_pass(tmp_path: Path) -> None:
    expected = {
        "train": {"images": 3, "identities": 2, "cameras": 3},
        "query": {"images": 2},
        "gallery": {"images": 3},
    }
    verify_counts(published(tmp_path), expected)
    verify_counts(published(tmp_path / "again"), {})


def test_a_half_copied_set_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    expected = {
        "train": {"images": 12_936, "identities": 2},
        "query": {"images": 3_368},
        "gallery": {"images": 2},
    }
    with pytest.raises(ValueError, match=r"data\.verify=false") as error:
        verify_counts(published(tmp_path), expected)
    assert "train has 3 images, published are 12,936: 12,933 are missing" in str(error.value)
    assert "query has 2 images, published are 3,368: 3,366 are missing" in str(error.value)
    assert "gallery has 3 images, published are 2: 1 are too many" in str(error.value)
    assert "identities" not in str(error.value)
    assert str(tmp_path) in str(error.value)
