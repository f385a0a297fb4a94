"""Guides from files and from keypoints: what is drawn, in which order, what is hidden, what is refused."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from reid.datasets import Record
from reid.datasets.keypoints import MIRRORED_KEYPOINTS, SEGMENTS
from reid.loading.guides import DrawnGuides, FileGuides, HeldGuides, mirrored_channels, write_guide_files
from reid.loading.guides import files as files_module
from reid.loading.guides.jpeg import decode_plane, decode_together
from reid.loading.guides.source import seen_segments

QUADS = list(SEGMENTS.values())
SIZES = [(200, 120), (64, 64), (333, 250), (90, 400)]


def vehicle(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float32]:
    """36 keypoints whose faces are often convex: all on an ellipse that leaves the image, in order."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 36))
    x = width * (0.5 + 0.6 * np.cos(angles)) + rng.normal(0, 3, 36)
    y = height * (0.5 + 0.6 * np.sin(angles)) + rng.normal(0, 3, 36)
    return np.stack([x, y, rng.uniform(0.3, 1.12, 36)], 1).astype(np.float32)


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Images of two sets, which need not exist."""
    rng = np.random.default_rng(0)
    return [
        Record(
            tmp_path / "veri" / ("image_query" if row < 3 else "image_test") / f"{row:04d}_c001.jpg",
            row,
            0,
            keypoints=vehicle(rng, *SIZES[row % 4]),
        )
        for row in range(8)
    ]


@pytest.fixture
def sizes(records: list[Record]) -> NDArray[np.int64]:
    return np.array([SIZES[row % 4] for row in range(len(records))])


def slow_gaussian(place: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    """By its formula, pixel by pixel; (64, 64) in 0..255."""
    plane = np.zeros((64, 64))
    column, line = (int(np.floor(axis + 0.5)) for axis in place)
    for y in range(64):
        for x in range(64):
            if abs(x - column) <= 6 and abs(y - line) <= 6:
                distance = (x - place[0]) ** 2 + (y - place[1]) ** 2
                plane[y, x] = 255 * min(max(peak, 0.0), 1.0) * np.exp(-distance / (2 * 2.0**2))
    return plane


def on_plane(record: Record, size: NDArray[np.int64]) -> NDArray[np.float64]:
    """(36, 2) x and y of the keypoints in pixels of the plane."""
    assert record.keypoints is not None
    return record.keypoints[:, :2].astype(np.float64) / size * 64 - 0.5


def slow_quadrilateral(corners: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each pixel's centre lies inside, and whether within 1 pixel of an edge: both (64, 64)."""
    inside, near = np.zeros((64, 64), bool), np.zeros((64, 64), bool)
    turns = [
        np.cross([*(b - a), 0], [*(c - b), 0])[2]
        for a, b, c in zip(corners, np.roll(corners, -1, 0), np.roll(corners, -2, 0), strict=True)
    ]
    if not (all(turn > 0 for turn in turns) or all(turn < 0 for turn in turns)):
        return inside, near
    for y in range(64):
        for x in range(64):
            sides = []
            for a, b in pairwise([*corners, corners[0]]):
                along, to = b - a, np.array([x, y]) - a
                sides.append(along[0] * to[1] - along[1] * to[0])
                share = np.clip(along @ to / (along @ along), 0, 1)
                near[y, x] |= np.hypot(*(to - share * along)) <= 1
            inside[y, x] = all(side > 0 for side in sides) or all(side < 0 for side in sides)
    return inside, near


def test_heatmaps_are_gaussians(records: list[Record], sizes: NDArray[np.int64]) -> None:
    rows = [5, 2]
    planes = DrawnGuides(records, heatmap=True, segment=False)(rows, sizes[rows])
    assert planes.shape == (2, 36, 64, 64)
    assert planes.dtype == np.uint8
    for drawn, row in zip(planes, rows, strict=True):
        places = on_plane(records[row], sizes[row])
        for plane, place, (_, _, confidence) in zip(drawn, places, records[row].keypoints, strict=True):
            np.testing.assert_allclose(plane, slow_gaussian(place, confidence), atol=0.501)


def test_a_gaussian_on_the_border_is_cut_and_one_outside_is_not_there(tmp_path: Path) -> None:
    points = np.zeros((36, 3), np.float32)
    points[:, 2] = 1
    points[:, :2] = [-40, 32]  # far out
    points[0, :2], points[1, :2], points[2, :2] = (0.5, 0.5), (69.4, 32.5), (70.4, 32.5)
    points[3, :2], points[4] = (1e30, -1e30), (32.5, 32.5, 1.3)
    record = Record(tmp_path / "image_train" / "a.jpg", 0, 0, keypoints=points)
    (planes,) = DrawnGuides([record], heatmap=True, segment=False)([0], np.array([(64, 64)]))
    assert planes[0, 0, 0] == 255
    assert planes[1].any(axis=0).nonzero()[0].tolist() == [63]  # its window just reaches the last column
    assert not planes[[2, 3, *range(5, 36)]].any()
    assert planes[4].max() == planes[4, 32, 32] == 255  # a confidence above 1 is 1


def test_segments_are_convex_quadrilaterals(records: list[Record], sizes: NDArray[np.int64]) -> None:
    planes = DrawnGuides(records, heatmap=False, segment=True, confidence=0)(range(2), sizes[:2])
    filled = 0
    for row, drawn in enumerate(planes):
        places = on_plane(records[row], sizes[row])
        for plane, quad in zip(drawn, QUADS, strict=True):
            inside, near = slow_quadrilateral(places[list(quad)])
            assert set(np.unique(plane)) <= {0, 255}
            np.testing.assert_array_equal((plane > 0)[~near], inside[~near])
            filled += inside.any()
    assert 2 < filled < 24, "some are convex, others are not"


def test_a_bent_or_flat_quadrilateral_is_black(tmp_path: Path) -> None:
    points = np.full((36, 3), 1, np.float32)
    for quad, corners in (
        (QUADS[0], [(10, 10), (50, 10), (20, 20), (10, 50)]),  # bent inwards
        (QUADS[3], [(10, 10), (50, 50), (50, 10), (10, 50)]),  # crosses itself
        (QUADS[11], [(10, 10), (20, 20), (30, 30), (40, 40)]),  # a line
    ):
        points[list(quad), :2] = corners
    record = Record(tmp_path / "image_train" / "a.jpg", 0, 0, keypoints=points)
    (planes,) = DrawnGuides([record], heatmap=False, segment=True)([0], np.array([(64, 64)]))
    assert not planes[[0, 3, 11]].any()


def test_heatmaps_come_first(records: list[Record], sizes: NDArray[np.int64]) -> None:
    both = DrawnGuides(records, heatmap=True, segment=True)
    heatmap, segment = (DrawnGuides(records, heatmap=on, segment=not on) for on in (True, False))
    assert (both.channels, heatmap.channels, segment.channels) == (49, 36, 13)
    np.testing.assert_array_equal(
        both(range(8), sizes),
        np.concatenate([heatmap(range(8), sizes), segment(range(8), sizes)], 1),
    )


def test_rows_may_repeat_and_come_in_any_order(records: list[Record], sizes: NDArray[np.int64]) -> None:
    guides = DrawnGuides(records, heatmap=True, segment=True)
    rows = [7, 0, 7, 3]
    np.testing.assert_array_equal(guides(rows, sizes[rows]), guides(range(8), sizes)[rows])


def test_a_segment_needs_all_four_keypoints(records: list[Record], sizes: NDArray[np.int64]) -> None:
    every = DrawnGuides(records, heatmap=True, segment=True, confidence=0)(range(8), sizes)
    gated = DrawnGuides(records, heatmap=True, segment=True, confidence=0.5)(range(8), sizes)
    np.testing.assert_array_equal(gated[:, :36], every[:, :36])
    hidden = 0
    for row, record in enumerate(records):
        for segment, quad in enumerate(QUADS):
            seen = all(record.keypoints[k, 2] >= 0.5 for k in quad)
            expected = every[row, 36 + segment] if seen else 0
            np.testing.assert_array_equal(gated[row, 36 + segment], np.broadcast_to(expected, (64, 64)))
            hidden += not seen
    assert 10 < hidden < 100


def test_the_confidence_asked_for_is_enough() -> None:
    points = np.zeros((36, 3), np.float32)
    points[:, 2] = 0.7  # as float32, a little less than 0.7
    assert seen_segments([Record(Path("a.jpg"), 0, 0, keypoints=points)], confidence=0.7).all()


def test_a_mirrored_vehicle_is_drawn_mirrored(records: list[Record], sizes: NDArray[np.int64]) -> None:
    mirrored = []
    for record, (width, _) in zip(records, sizes, strict=True):
        points = record.keypoints[list(MIRRORED_KEYPOINTS)]
        points[:, 0] = width - points[:, 0]
        mirrored.append(replace(record, keypoints=points))
    guides, other = (DrawnGuides(side, heatmap=True, segment=True) for side in (records, mirrored))
    planes = guides(range(8), sizes)
    turned = planes[:, mirrored_channels(guides), :, ::-1]
    drawn = other(range(8), sizes)
    difference = np.abs(drawn.astype(int) - turned)
    assert difference[:, :36].max() <= 1
    for plane, unlike in zip(
        turned[:, 36:].reshape(-1, 64, 64), difference[:, 36:].reshape(-1, 64, 64), strict=True
    ):
        inner = cv2.erode(plane, np.ones((3, 3)))
        outer = cv2.dilate(plane, np.ones((3, 3)))
        assert not unlike[inner == outer].any(), "they differ in pixels that the outline touches at most"


@pytest.mark.parametrize(("heatmap", "segment"), [(True, False), (False, True), (True, True)])
def test_mirrored_twice_is_as_before(records: list[Record], heatmap: bool, segment: bool) -> None:
    order = mirrored_channels(DrawnGuides(records, heatmap=heatmap, segment=segment))
    assert order[order].tolist() == list(range(36 * heatmap + 13 * segment))


@pytest.fixture
def written(records: list[Record], sizes: NDArray[np.int64]) -> list[Record]:
    """The records, whose drawn guides were written as files."""
    drawn = DrawnGuides(records, heatmap=True, segment=True, confidence=0)
    write_guide_files(records, lambda rows: drawn(rows, sizes[list(rows)]), heatmap=True, segment=True)
    return records


def test_files_hold_what_was_drawn(written: list[Record], sizes: NDArray[np.int64]) -> None:
    drawn, read = (
        source(written, heatmap=True, segment=True)(range(8), sizes) for source in (DrawnGuides, FileGuides)
    )
    assert np.abs(drawn[:, :36].astype(int) - read[:, :36]).max() < 12, "but for JPEG's noise"
    assert np.abs(drawn[:, 36:].astype(int) - read[:, 36:]).mean() < 2
    root = written[0].path.parents[1]
    one = cv2.imread(str(root / "segment_test" / written[4].path.stem / "07.jpg"), cv2.IMREAD_GRAYSCALE)
    every = FileGuides(written, heatmap=False, segment=True, confidence=0)([4], sizes[4:5])
    np.testing.assert_array_equal(every[0, 7], one)
    np.testing.assert_array_equal(
        FileGuides(written, heatmap=True, segment=False)([4, 0], sizes[:2]), read[[4, 0], :36]
    )


def test_planes_of_another_size_are_resized(written: list[Record], sizes: NDArray[np.int64]) -> None:
    path = written[0].path.parents[1] / "heatmap_query" / written[0].path.stem / "05.jpg"
    large = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (100, 80))
    cv2.imwrite(str(path), large, [cv2.IMWRITE_JPEG_QUALITY, 100])
    stored = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    (planes,) = FileGuides(written, heatmap=True, segment=False)([0], sizes[:1])
    np.testing.assert_array_equal(planes[5], cv2.resize(stored, (64, 64), interpolation=cv2.INTER_LINEAR))


def test_files_need_no_keypoints_unless_segments_are_gated(
    written: list[Record], sizes: NDArray[np.int64]
) -> None:
    bare = [replace(record, keypoints=None) for record in written]
    full = FileGuides(bare, heatmap=True, segment=True, confidence=0)(range(8), sizes)
    np.testing.assert_array_equal(
        FileGuides(bare, heatmap=True, segment=False)(range(8), sizes), full[:, :36]
    )
    with pytest.raises(ValueError, match=r"8 of 8 images have no keypoints.*label_query\.csv.*confidence=0"):
        FileGuides(bare, heatmap=False, segment=True)


def test_finished_pictures_are_kept(written: list[Record], sizes: NDArray[np.int64]) -> None:
    asked: list[int] = []

    def black(rows: object) -> NDArray[np.uint8]:
        asked.extend(rows)  # type: ignore[call-overload]
        return np.zeros((len(list(rows)), 49, 64, 64), np.uint8)  # type: ignore[call-overload]

    root = written[0].path.parents[1]
    before = FileGuides(written, heatmap=True, segment=True, confidence=0)(range(8), sizes)
    write_guide_files(written, black, heatmap=True, segment=True)
    assert not asked
    (root / "heatmap_query" / written[1].path.stem / "35.jpg").unlink()  # as an interrupted copy leaves it
    write_guide_files(written, black, heatmap=True, segment=True)
    assert asked == [1]
    after = FileGuides(written, heatmap=True, segment=True, confidence=0)(range(8), sizes)
    assert not after[1, :36].any()
    np.testing.assert_array_equal(after[1, 36:], before[1, 36:])
    np.testing.assert_array_equal(np.delete(after, 1, 0), np.delete(before, 1, 0))
    assert sorted(path.name for path in (root / "heatmap_query").iterdir()) == [
        record.path.stem for record in written[:3]
    ], "nothing else is left behind"


def test_an_interrupted_picture_leaves_nothing(
    records: list[Record], sizes: NDArray[np.int64], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = DrawnGuides(records, heatmap=True, segment=True, confidence=0)
    calls = 0

    def interrupted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3 * 49 + 40:  # in the fourth picture's segments
            raise KeyboardInterrupt
        return imencode(*arguments)

    imencode = cv2.imencode
    planes = lambda rows: drawn(rows, sizes[list(rows)])  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(files_module.cv2, "imencode", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_guide_files(records, planes, heatmap=True, segment=True)
    root = records[0].path.parents[1]
    assert [path.name for path in (root / "heatmap_test").iterdir()] == [records[3].path.stem]
    assert list((root / "segment_test").iterdir()) == []
    write_guide_files(records, planes, heatmap=True, segment=True)
    read = FileGuides(records, heatmap=True, segment=True)(range(8), sizes)
    assert np.abs(drawn(range(8), sizes)[:, :36].astype(int) - read[:, :36]).max() < 12


def jpegs(count: int, **options: int) -> list[bytes]:
    """Files of noise."""
    rng = np.random.default_rng(1)
    flags = [
        value for name, option in options.items() for value in (getattr(cv2, f"IMWRITE_JPEG_{name}"), option)
    ]
    return [
        cv2.imencode(".jpg", rng.integers(0, 256, (64, 64), np.uint8), flags)[1].tobytes()
        for _ in range(count)
    ]


@pytest.mark.parametrize("quality", [10, 95, 100])
@pytest.mark.parametrize("count", [1, 2, 9, 36])
def test_files_decoded_together_are_as_decoded_alone(quality: int, count: int) -> None:
    contents = jpegs(count, QUALITY=quality)
    together = decode_together(contents)
    assert together is not None
    np.testing.assert_array_equal(together, [decode_plane(content) for content in contents])


@pytest.mark.parametrize(
    "unlike",
    [
        [*jpegs(2, QUALITY=95), *jpegs(1, QUALITY=90)],
        jpegs(3, QUALITY=95, PROGRESSIVE=1),
        jpegs(3, QUALITY=95, OPTIMIZE=1),
        jpegs(3, QUALITY=95, RST_INTERVAL=8),
        [content + b"\0" for content in jpegs(3)],
        [content[:300] for content in jpegs(3)],
        [content[:20] for content in jpegs(3)],
        [jpegs(1)[0], jpegs(1)[0][:700] + b"\xff\xd0" + jpegs(1)[0][702:]],
        [cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()] * 3,
        [cv2.imencode(".jpg", np.zeros((64, 65), np.uint8))[1].tobytes()] * 3,
        [cv2.imencode(".png", np.zeros((64, 64), np.uint8))[1].tobytes()] * 3,
        [b""],
    ],
    ids=[
        *("qualities", "progressive", "tables", "restarts", "padded", "broken", "header", "marker", "color"),
        *("wide", "png", "empty"),
    ],
)
def test_unlike_files_are_decoded_alone(unlike: list[bytes]) -> None:
    assert decode_together(unlike) is None


def test_files_written_in_different_ways_are_read_too(
    written: list[Record], sizes: NDArray[np.int64]
) -> None:
    folder = written[0].path.parents[1] / "heatmap_query" / written[0].path.stem
    for number, content in enumerate([*jpegs(2, QUALITY=80), *jpegs(2, PROGRESSIVE=1)]):
        (folder / f"{number:02d}.jpg").write_bytes(content)
    (planes,) = FileGuides(written, heatmap=True, segment=False)([0], sizes[:1])
    for number, plane in enumerate(planes):
        stored = cv2.imread(str(folder / f"{number:02d}.jpg"), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(plane, stored)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"\xff\xd8\xff", "breaks off after 3 bytes"),
        (b"no image", "is no image"),
        (b"\xff\xd8" + bytes(100) + b"\xff\xd9", "is no image"),
        (bytes(3 << 16), "is no image"),
    ],
)
def test_a_damaged_file_is_named(
    written: list[Record], sizes: NDArray[np.int64], content: bytes, fault: str
) -> None:
    path = written[0].path.parents[1] / "heatmap_query" / written[0].path.stem / "17.jpg"
    path.write_bytes(content)
    guides = FileGuides(written, heatmap=True, segment=True)
    with pytest.raises(ValueError, match=rf"heatmap_query/0000_c001/17\.jpg {fault}.*copy it again"):
        guides([0], sizes[:1])


def test_half_a_file_is_refused(written: list[Record], sizes: NDArray[np.int64]) -> None:
    path = written[0].path.parents[1] / "heatmap_query" / written[0].path.stem / "17.jpg"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"17\.jpg breaks off"):
        FileGuides(written, heatmap=True, segment=False)([0], sizes[:1])


def test_a_missing_file_or_folder_is_named(written: list[Record], sizes: NDArray[np.int64]) -> None:
    root = written[0].path.parents[1]
    (root / "heatmap_query" / written[0].path.stem / "17.jpg").unlink()
    guides = FileGuides(written, heatmap=True, segment=False)
    with pytest.raises(FileNotFoundError, match=r"heatmap_query/0000_c001/17\.jpg is missing: copy"):
        guides([1, 0], sizes[:2])
    (root / "heatmap_test" / written[5].path.stem).rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"heatmap_test/0005_c001 is missing: copy"):
        guides([5], sizes[:1])
    (root / "segment_test").rename(root / "away")
    FileGuides(written, heatmap=True, segment=False)  # which does not ask for it
    with pytest.raises(FileNotFoundError, match=r"segment_test is missing.*data\.segment=false"):
        FileGuides(written, heatmap=True, segment=True)


def test_what_cannot_be_is_refused(records: list[Record]) -> None:
    for source in (DrawnGuides, FileGuides):
        with pytest.raises(ValueError, match=r"heatmap=false and data\.segment=false"):
            source(records, heatmap=False, segment=False)
    for confidence in (-0.1, float("nan")):
        with pytest.raises(ValueError, match=r"segment_confidence=.*use 0"):
            DrawnGuides(records, heatmap=False, segment=True, confidence=confidence)
    some = [replace(record, keypoints=None) if row > 5 else record for row, record in enumerate(records)]
    with pytest.raises(ValueError, match=r"2 of 8 images.*0006_c001\.jpg.*label_test\.csv.*guides=files"):
        DrawnGuides(some, heatmap=True, segment=False)
    stray = replace(records[0], path=Path("somewhere/else.jpg"))
    with pytest.raises(ValueError, match=r"somewhere/else\.jpg lies in somewhere/.*image_train/"):
        FileGuides([stray], heatmap=True, segment=False)
    points = records[0].keypoints.copy()
    points[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"0000_c001\.jpg has keypoints that are no finite numbers"):
        DrawnGuides([replace(records[0], keypoints=points)], heatmap=True, segment=False)
    with pytest.raises(ValueError, match=r"planes are \(8, 13, 64, 64\) uint8: \(8, 36, 64, 64\)"):
        write_guide_files(
            records, lambda rows: np.zeros((len(rows), 13, 64, 64), np.uint8), heatmap=True, segment=False
        )


def test_an_empty_list_and_no_rows(records: list[Record]) -> None:
    DrawnGuides([], heatmap=True, segment=True)
    none = DrawnGuides(records, heatmap=True, segment=True)([], np.zeros((0, 2), np.int64))
    assert none.shape == (0, 49, 64, 64)


def test_sources_travel_to_workers(written: list[Record], sizes: NDArray[np.int64]) -> None:
    for source in (DrawnGuides, FileGuides):
        guides = source(written, heatmap=True, segment=True)
        copy = pickle.loads(pickle.dumps(guides))
        np.testing.assert_array_equal(copy([2, 6], sizes[[2, 6]]), guides([2, 6], sizes[[2, 6]]))


def test_held_planes_are_those_that_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid.loading.guides.held.PAGE", 40)  # a batch and a part
    whole = np.random.default_rng(0).integers(0, 256, (97, 13, 64, 64), np.uint8)
    whole[::2] = 0
    asked: list[int] = []

    def planes(rows: Sequence[int]) -> NDArray[np.uint8]:
        asked.extend(rows)
        return whole[list(rows)]

    held = HeldGuides(len(whole), planes, channels=13)
    assert asked == list(range(97))
    assert held.nbytes < whole.nbytes
    rows = [96, 0, 39, 40, 41, 79, 80, 5, 5]
    assert np.array_equal(held(rows, np.ones((len(rows), 2))), whole[rows])
    again = pickle.loads(pickle.dumps(held))  # to a spawned worker
    assert np.array_equal(again(rows, np.ones((len(rows), 2))), whole[rows])
