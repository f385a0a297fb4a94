"""The drawn benchmark: Market-1501's layout, equal bytes for equal seeds, whole or absent, beyond colour."""

import errno
import json
import re
from collections import defaultdict
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Barrier, Thread

import cv2
import pytest
from histogram_baseline import read_labels, score_histograms

from reid.datasets import pedestrians
from reid.datasets.pedestrians import Sizes, draw_pedestrians

SMALL = Sizes(train_identities=3, test_identities=4, passes=3, shots=2, distractors=5, junk=4)
NAME = re.compile(r"(-1|\d{4})_c[1-6]s\d_\d{6}_\d{2}\.jpg")  # recipes: Market-1501's files
FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
HISTOGRAM_BOUND = 0.25  # half of the mAP that the default training promises


def draw(root: Path, *, seed: int = 0, sizes: Sizes = SMALL) -> Path:
    return draw_pedestrians(root, seed=seed, sizes=sizes, progress=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("small"))


def test_layout_names_and_counts_are_market1501s(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FOLDERS, "pedestrians.json"])
    train, query, gallery = ([path.name for path in (folder / part).iterdir()] for part in FOLDERS)
    assert all(NAME.fullmatch(name) for name in (*train, *query, *gallery))
    assert (len(train), len(query), len(gallery)) == (3 * 3 * 2, 4 * 3, 4 * 3 + 5 + 4)
    assert sum(name.startswith("0000_") for name in gallery) == 5
    assert sum(name.startswith("-1_") for name in gallery) == 4
    assert {cv2.imread(str(path)).shape for path in folder.rglob("*.jpg")} == {(128, 64, 3)}


def test_identities_are_disjoint_and_every_query_has_a_match_of_another_camera(folder: Path) -> None:
    labels = [read_labels(sorted((folder / part).iterdir())) for part in FOLDERS]
    (train, _), (query, query_cameras), (gallery, gallery_cameras) = labels
    assert not set(train) & {*query, *gallery}
    assert len(set(zip(query, query_cameras, strict=True))) == len(
        query
    )  # one query for an identity and a camera
    cameras = defaultdict(set)
    for identity, camera in zip(gallery, gallery_cameras, strict=True):
        cameras[identity].add(camera)
    assert all(cameras[identity] - {camera} for identity, camera in zip(query, query_cameras, strict=True))


def test_stamp_says_what_was_drawn(folder: Path) -> None:
    stamp = json.loads((folder / "pedestrians.json").read_text())
    assert stamp["seed"] == 0
    assert stamp["test_identities"] == 4


def test_same_seed_same_bytes_and_other_seed_other_bytes(folder: Path, tmp_path: Path) -> None:
    again, other = draw(tmp_path), draw(tmp_path, seed=1)
    assert contents(again) == contents(folder)
    assert again != other
    assert contents(other).keys() == contents(folder).keys()
    assert all(contents(other)[file] != content for file, content in contents(folder).items())


def test_more_identities_leave_the_other_pictures_as_they_are(folder: Path, tmp_path: Path) -> None:
    more = contents(
        draw(tmp_path, sizes=replace(SMALL, train_identities=5, test_identities=5, distractors=9))
    )
    assert all(
        more[file] == content for file, content in contents(folder).items() if not file.endswith("json")
    )


def test_second_use_reuses_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = draw(tmp_path)
    monkeypatch.setattr(pedestrians, "write_boxes", lambda *_, **__: pytest.fail("drawn again"))
    assert draw(tmp_path) == first


def test_a_stopped_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_after(monkeypatch, 7, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        draw(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_with_folder_space_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_after(monkeypatch, 7, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match=rf"{re.escape(str(tmp_path))}.* needs \d+ MiB; free some") as failure:
        draw(tmp_path)
    assert failure.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def interrupt_after(monkeypatch: pytest.MonkeyPatch, images: int, error: BaseException) -> None:
    """The disk takes so many images, then ``error`` strikes."""
    write, written = Path.write_bytes, count()

    def write_or_fail(path: Path, data: bytes) -> int:
        if next(written) >= images:
            raise error
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_or_fail)


def test_of_two_that_draw_at_once_one_wins(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, publish, results = Barrier(2, timeout=60), pedestrians.publish, []

    def publish_together(draft: Path, target: Path) -> None:
        start.wait()  # both have drawn everything, neither has published
        publish(draft, target)

    monkeypatch.setattr(pedestrians, "publish", publish_together)
    racers = [Thread(target=lambda: results.append(draw(tmp_path))) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(results) == 2
    assert set(results) == set(tmp_path.iterdir())
    assert contents(results[0]) == contents(folder)


def test_a_foreign_folder_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / folder.name).mkdir()
    (tmp_path / folder.name / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="rename it, or name another root"):
        draw(tmp_path)
    assert (tmp_path / folder.name / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "wrong", [{"passes": 1}, {"passes": 7}, {"shots": 1}, {"train_identities": 751}, {"junk": -1}]
)
def test_impossible_sizes_name_the_allowed_ones(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))} is .* can be drawn with \d+ to \d+"):
        replace(SMALL, **wrong)


def test_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed is -1"):
        draw(tmp_path, seed=-1)


@pytest.fixture(scope="module")
def default_test_half(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """Query and gallery of the default benchmark; its training pictures are not needed."""
    drawn = draw(tmp_path_factory.mktemp("default"), sizes=replace(Sizes(), train_identities=1))
    query, gallery = (sorted((drawn / part).iterdir()) for part in FOLDERS[1:])
    return query, gallery


def test_colour_alone_does_not_solve_the_default(default_test_half: tuple[list[Path], list[Path]]) -> None:
    for settings in ({}, {"stripes": 6}, {"stripes": 6, "bins": (8, 4, 4), "margin": 0.31}):
        mean_average_precision, _ = score_histograms(*default_test_half, **settings)
        assert mean_average_precision < HISTOGRAM_BOUND, settings
