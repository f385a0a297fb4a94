"""CUHK03's MATLAB files in miniature: unpacked once and whole, two kinds of boxes, two protocols."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from scipy.io import savemat

from reid.datasets import Record, cuhk03, read_cuhk03
from reid.tasks.build import build_datamodule

PEOPLE = (3, 2, 1, 1, 1)  # of the five pairs of cameras
COLUMNS = (0, 1, 5, 6)  # of ten, those that have an image: two of each view
TESTS = [[(1, 2), (4, 1)], [(1, 3), (2, 1)]]  # pair and person of the classic splits, by turns
NEW = {"train": [1, 2, 3, 4], "query": [5, 7], "gallery": [6, 8]}  # rows of the list of files, from 1
NAMES = [
    f"{pair}_{person:03d}_{view}_{image:02d}.png"
    for pair, people in enumerate(PEOPLE, 1)
    for person in range(1, people + 1)
    for view, image in ((1, 1), (1, 2), (2, 6), (2, 7))
]


def picture(boxes: str, name: str) -> np.ndarray:
    """(5, 4, 3) RGB, other for every name and kind of boxes."""
    seed = [*name.encode(), len(boxes)]
    return np.random.default_rng(seed).integers(0, 256, (5, 4, 3), dtype=np.uint8)


def write_matlab(path: Path) -> None:
    """As MATLAB 7.3 does: cells are references into ``#refs#``, and every array is transposed."""
    with h5py.File(path, "w") as file:
        references = file.create_group("#refs#")

        def refer(array: np.ndarray) -> h5py.Reference:
            return references.create_dataset(str(len(references)), data=array).ref

        def cell(rows: Sequence[Sequence[h5py.Reference]]) -> np.ndarray:
            array = np.empty((len(rows[0]), len(rows)), dtype=h5py.ref_dtype)
            for i, row in enumerate(rows):
                for j, reference in enumerate(row):
                    array[j, i] = reference
            return array

        nothing = np.zeros(2, dtype=np.uint64)  # how an empty cell is stored
        for boxes in ("detected", "labeled"):
            names = iter(NAMES)
            pairs = [
                [
                    [
                        refer(picture(boxes, next(names)).T if column in COLUMNS else nothing)
                        for column in range(10)
                    ]
                    for _ in range(people)
                ]
                for people in PEOPLE
            ]
            file.create_dataset(boxes, data=cell([[refer(cell(pair))] for pair in pairs]).reshape(1, 5))
        splits = [refer(np.array(TESTS[split % 2], dtype=float).T) for split in range(20)]
        file.create_dataset("testsets", data=cell([[split] for split in splits]))


def write_config(path: Path) -> None:
    people = sorted({name[:5] for name in NAMES})
    savemat(
        path,
        {
            "filelist": np.array([[name] for name in NAMES], dtype=object),
            "labels": np.array([[people.index(name[:5]) + 1] for name in NAMES]),
            "camId": np.array([[int(name[6])] for name in NAMES]),
            **{f"{part}_idx": np.array([rows]) for part, rows in NEW.items()},
        },
    )


def lay_out(folder: Path, *, config: Path | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_matlab(folder / "cuhk-03.mat")
    for boxes in ("detected", "labeled"):
        write_config((config or folder) / f"cuhk03_new_protocol_config_{boxes}.mat")
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return lay_out(tmp_path / "cuhk03" / "cuhk03_release", config=tmp_path / "cuhk03")


def brief(records: Sequence[Record]) -> list[tuple[str, int, int]]:
    return [(record.path.name, record.identity, record.camera) for record in records]


@pytest.mark.parametrize("layout", ["cuhk03/cuhk03_release", "cuhk03", "cuhk03_release", "."])
def test_the_new_protocol_in_every_layout(tmp_path: Path, layout: str) -> None:
    lay_out(tmp_path / layout)

    benchmark = read_cuhk03(tmp_path)

    assert benchmark.name == "cuhk03"
    assert brief(benchmark.train) == [
        ("1_001_1_01.png", 1001, 0),
        ("1_001_1_02.png", 1001, 0),
        ("1_001_2_06.png", 1001, 1),
        ("1_001_2_07.png", 1001, 1),
    ]
    assert brief(benchmark.query) == [("1_002_1_01.png", 1002, 0), ("1_002_2_06.png", 1002, 1)]
    assert brief(benchmark.gallery) == [("1_002_1_02.png", 1002, 0), ("1_002_2_07.png", 1002, 1)]


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_pixels_are_those_of_the_matlab_file(release: Path, boxes: str) -> None:
    read_cuhk03(release.parent, boxes=boxes)

    folder = release / f"images_{boxes}"
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    for name in NAMES:
        bgr = cv2.imread(str(folder / name))
        np.testing.assert_array_equal(bgr[..., ::-1], picture(boxes, name))


def test_classic_test_images_are_queries_and_gallery(release: Path) -> None:
    benchmark = read_cuhk03(release.parent, protocol="classic", split=3)  # as split 1

    assert {record.identity for record in benchmark.query} == {1003, 2001}
    assert len(benchmark.query) == 2 * 4
    assert benchmark.query == benchmark.gallery
    assert {record.identity for record in benchmark.train} == {1001, 1002, 2002, 3001, 4001, 5001}
    assert read_cuhk03(release.parent, protocol="classic").query[0].identity == 1002


def test_the_classic_protocol_needs_no_configuration(release: Path) -> None:
    for path in release.parent.glob("*config*"):
        path.unlink()
    assert read_cuhk03(release.parent, protocol="classic").train
    with pytest.raises(
        FileNotFoundError, match=r"config_detected\.mat was not found.*data\.protocol=classic"
    ):
        read_cuhk03(release.parent)


def test_unpacked_once_wherever_the_folder_moves(release: Path, tmp_path: Path) -> None:
    read_cuhk03(tmp_path)
    moved = release.parents[1].rename(tmp_path.with_name(tmp_path.name + "_moved"))
    (moved / "cuhk03/cuhk03_release/cuhk-03.mat").write_bytes(b"not opened again")

    benchmark = read_cuhk03(moved)

    assert all(record.path.is_file() for record in benchmark.train)
    assert len(read_cuhk03(moved, protocol="classic").query) == 8


def test_a_stopped_run_is_taken_up(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode, calls = cv2.imencode, []

    def stop_at(limit: int) -> None:
        def encode_until(*args: object) -> object:
            if len(calls) == limit:
                raise KeyboardInterrupt
            calls.append(args)
            return encode(*args)

        monkeypatch.setattr(cuhk03.cv2, "imencode", encode_until)

    stop_at(5)
    with pytest.raises(KeyboardInterrupt):
        read_cuhk03(tmp_path)
    assert sorted(path.name for path in (release / "images_detected").iterdir()) == NAMES[:5]
    assert not (release / "images_detected.json").exists()

    stop_at(1000)
    read_cuhk03(tmp_path)
    assert len(calls) == len(NAMES)

    (release / "images_detected" / NAMES[9]).unlink()  # lost by a copy
    read_cuhk03(tmp_path)
    assert len(calls) == len(NAMES) + 1
    assert sorted(path.name for path in (release / "images_detected").iterdir()) == NAMES


def test_what_is_no_matlab_file_is_named(release: Path, tmp_path: Path) -> None:
    config = release.parent / "cuhk03_new_protocol_config_detected.mat"
    for content in (
        config.read_bytes()[:-100],
        (release / "cuhk-03.mat").read_bytes(),
        b"<html>not found</html>",
        b"",
    ):
        config.write_bytes(content)
        with pytest.raises(ValueError, match=r"config_detected\.mat is not the new protocol's .*again"):
            read_cuhk03(tmp_path)

    matlab = release / "cuhk-03.mat"
    for content in (matlab.read_bytes()[:-4000], b"<html>not found</html>"):
        matlab.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"cuhk-03\.mat is not the HDF5 file of CUHK03, or not all.*again"
        ):
            read_cuhk03(tmp_path, boxes="labeled")

    matlab.unlink()
    with pytest.raises(FileNotFoundError, match=r"not found: .* cuhk-03\.mat were looked for .*paths\.data="):
        read_cuhk03(tmp_path)


def test_a_configuration_of_other_images_is_refused(release: Path, tmp_path: Path) -> None:
    savemat(
        release.parent / "cuhk03_new_protocol_config_labeled.mat",
        {
            "filelist": np.array([["9_001_1_01.png"], [NAMES[0]]], dtype=object),
            **{f"{part}_idx": np.array([[1, 2]]) for part in NEW},
        },
    )
    with pytest.raises(
        ValueError, match=r"1 images of .*_labeled\.mat are not among the 32 .*9_001_1_01\.png"
    ):
        read_cuhk03(tmp_path, boxes="labeled")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"boxes": "drawn"}, r"data\.boxes='drawn': use detected or labeled"),
        ({"protocol": "old"}, r"data\.protocol='old': use new or classic"),
        ({"split": 20}, r"data\.split=20: use 0 to 19"),
    ],
)
def test_unknown_choices(tmp_path: Path, choice: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_cuhk03(tmp_path, **choice)


@pytest.mark.parametrize(
    ("protocol", "boxes", "identities", "gallery"),
    [
        ("new", "detected", 767, {"images": 5332, "identities": 700, "cameras": 2}),
        ("new", "labeled", 767, {"images": 5328, "identities": 700, "cameras": 2}),
        ("classic", "detected", 1367, {"identities": 100, "cameras": 2}),
        ("classic", "labeled", 1367, {"identities": 100, "cameras": 2}),
    ],
)
def test_published_counts_follow_the_choices(
    protocol: str, boxes: str, identities: int, gallery: dict[str, int]
) -> None:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(Path(__file__).parents[2] / "conf"), version_base="1.3"):
        choices = [f"data.protocol={protocol}", f"data.boxes={boxes}", "paths.output=outputs/test"]
        config = compose("config", ["data=cuhk03", "model=osnet", *choices])

    datamodule = build_datamodule(config)

    assert config.model.network.num_identities == datamodule.num_identities == identities
    assert datamodule.counts["train"]["identities"] == identities
    assert datamodule.counts["gallery"] == gallery
