"""The contact sheet shows people before their cameras: which, in what order, and queries in blue."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from checks.miniature import market1501
from matplotlib.colors import to_rgb

from reid.datasets import Benchmark, Record, read_market1501
from reid.plots import plot_contact_sheet
from reid.plots.contact_sheet import choose, row_of
from reid.plots.style import BLUE


@pytest.fixture
def people(tmp_path: Path) -> Benchmark:
    return read_market1501(market1501(tmp_path / "market1501"))


def blue_frames(path: Path) -> int:
    """Cells of 64 x 128 in a frame of 4 that is blue."""
    blue = (cv2.imread(str(path))[..., ::-1] == np.rint(255 * np.array(to_rgb(BLUE)))).all(-1)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(blue.astype(np.uint8))
    return sum(tuple(boxes[i, 2:4]) == (72, 136) for i in range(1, count))


def test_queries_have_blue_frames_and_a_second_sheet_is_the_same(people: Benchmark, tmp_path: Path) -> None:
    first, second = (plot_contact_sheet(people, tmp_path / name / "p.png") for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert blue_frames(first) == len(people.query)


def test_people_are_chosen_from_all_over_the_list(people: Benchmark) -> None:
    train = [replace(people.train[0], identity=identity) for identity in range(1, 752)]
    groups = choose(replace(people, train=train))
    assert list(groups) == [
        "training: 6 of 751 identities",
        "query and gallery: 4 identities",
        "query and gallery: distractors",
    ]
    titles = [row.title for row in groups["training: 6 of 751 identities"]]
    assert titles == [f"identity {number}" for number in (1, 151, 301, 451, 601, 751)]


def test_each_camera_is_shown_before_any_is_shown_again() -> None:
    cells = [
        (Record(Path(f"{camera}_{shot}"), 7, camera), shot == 0) for camera in (2, 0, 1) for shot in range(9)
    ]
    row = row_of(7, cells)
    assert [record.path.name for record, _ in row.cells] == [
        *("0_0", "0_1", "0_2", "0_3"),
        *("1_0", "1_1", "1_2"),
        *("2_0", "2_1", "2_2"),
    ]
    assert row.subtitle == "27 images\n3 cameras"


def test_unreadable_images_are_shown_as_such(people: Benchmark, tmp_path: Path) -> None:
    for record in [*people.train, *people.query]:
        record.path.write_bytes(b"")
    unknown = replace(people, gallery=[replace(each, camera=-1) for each in people.gallery])
    assert plot_contact_sheet(unknown, tmp_path / "p.png").is_file()


def test_a_benchmark_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing has no images"):
        plot_contact_sheet(Benchmark("nothing", [], [], []), tmp_path / "p.png")
