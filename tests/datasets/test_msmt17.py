"""MSMT17's two releases in every layout, its validation list, and the ways in which it breaks."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from reid.datasets import Record, read_msmt17, verify_counts
from reid.tasks.build import build_datamodule

LISTS = {
    "train": ["0000/0000_000_01_0303morning_0015_0.jpg 0", "0001/0001_004_15_0302noon_0480_1_ex.jpg 1"],
    "val": ["0000/0000_020_09_0303noon_0201_0.jpg 0"],
    "query": ["0000/0000_001_03_0303afternoon_1111_0.jpg 0"],
    "gallery": ["3059/3059_000_04_0303noon_0001_2.jpg 3059", "0000/0000_007_12_0303morning_1040_0_ex.jpg 0"],
}
FOLDERS = {"MSMT17_V1": ("train", "test"), "MSMT17_V2": ("mask_train_v2", "mask_test_v2")}
LAYOUTS = ["msmt17/MSMT17_V1", "msmt17/MSMT17_V2", "MSMT17_V1", "MSMT17_V2", "msmt17", "."]


def lay_out(folder: Path, *, release: str = "MSMT17_V1") -> Path:
    train, test = FOLDERS[release]
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in LISTS.items():
        (folder / f"list_{name}.txt").write_text("\n".join(lines) + "\n")
        for line in lines:
            image = folder / (train if name in ("train", "val") else test) / line.split()[0]
            image.parent.mkdir(parents=True, exist_ok=True)
            image.touch()
    return folder


def brief(records: Sequence[Record]) -> list[tuple[str, int, int]]:
    return [(record.path.name, record.identity, record.camera) for record in records]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read_in_the_order_of_its_lists(tmp_path: Path, layout: str) -> None:
    release = "MSMT17_V2" if layout.endswith("2") else "MSMT17_V1"
    lay_out(tmp_path / layout, release=release)

    benchmark = read_msmt17(tmp_path)

    assert benchmark.name == "msmt17"
    assert brief(benchmark.train) == [
        ("0000_000_01_0303morning_0015_0.jpg", 0, 0),
        ("0001_004_15_0302noon_0480_1_ex.jpg", 1, 14),
    ]
    assert brief(benchmark.query) == [("0000_001_03_0303afternoon_1111_0.jpg", 0, 2)]
    assert brief(benchmark.gallery) == [
        ("3059_000_04_0303noon_0001_2.jpg", 3059, 3),
        ("0000_007_12_0303morning_1040_0_ex.jpg", 0, 11),
    ]
    assert benchmark.train[0].path.parents[1].name == FOLDERS[release][0]
    assert benchmark.query[0].path.parents[1].name == FOLDERS[release][1]
    assert all(record.path.is_file() for record in [*benchmark.train, *benchmark.query, *benchmark.gallery])


def test_validation_images_join_the_training_list(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "msmt17" / "MSMT17_V1")

    benchmark = read_msmt17(tmp_path, include_val=True)

    assert brief(benchmark.train)[-1] == ("0000_020_09_0303noon_0201_0.jpg", 0, 8)
    verify_counts(benchmark, {"train": {"images": 3, "identities": 2}})

    (folder / "list_val.txt").unlink()
    assert len(read_msmt17(tmp_path).train) == 2
    with pytest.raises(FileNotFoundError, match=r"list_val\.txt is missing"):
        read_msmt17(tmp_path, include_val=True)


@pytest.mark.parametrize(("include_val", "images"), [(False, 30_248), (True, 32_621)])
def test_published_counts_follow_the_choice(include_val: bool, images: int) -> None:
    conf = str(Path(__file__).parents[2] / "conf")
    GlobalHydra.instance().clear()
    with initialize_config_dir(conf, version_base="1.3"):
        sentence = ["data=msmt17", f"data.include_val={include_val}", "paths.output=outputs/test"]
        datamodule = build_datamodule(compose("config", sentence))

    assert datamodule.counts["train"] == {"images": images, "identities": 1041, "cameras": 15}
    assert datamodule.counts["query"] == {"images": 11_659, "identities": 3060, "cameras": 15}


def test_lists_of_one_release_with_images_of_the_other(tmp_path: Path) -> None:
    folder = lay_out(tmp_path)
    (folder / "test/0000/0000_001_03_0303afternoon_1111_0.jpg").unlink()
    message = (
        r"1 of the 1 images of .*list_query.txt are not in .*test, the first is 0000/0000_001_03_.*V1, MSMT"
    )
    with pytest.raises(FileNotFoundError, match=message):
        read_msmt17(tmp_path)

    (folder / "test/0000").rename(folder / "test/0002")
    with pytest.raises(FileNotFoundError, match="1 of the 1 images"):
        read_msmt17(tmp_path)


def test_folders_of_two_releases_are_refused(tmp_path: Path) -> None:
    folder = lay_out(tmp_path)
    (folder / "test").rename(folder / "mask_test_v2")
    with pytest.raises(
        FileNotFoundError, match=r"no pair .*train and test or mask_train_v2 .*there is .*mask_test_v2/"
    ):
        read_msmt17(tmp_path)

    lay_out(tmp_path, release="MSMT17_V2")
    lay_out(tmp_path, release="MSMT17_V1")
    with pytest.raises(ValueError, match=r"both releases .*paths\.data="):
        read_msmt17(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "0000/0000_000_16_0303morning_0015_0.jpg 0",
        "0000/0000_000_01_0303morning_0015_0.jpg",
        "0002_c1s1.jpg 2",
    ],
)
def test_a_line_that_does_not_fit_is_shown(tmp_path: Path, line: str) -> None:
    with (lay_out(tmp_path) / "list_train.txt").open("a") as file:
        file.write(line)
    with pytest.raises(ValueError, match=rf"list_train.txt, line 3, is '{line}'.*camera 1 to 15"):
        read_msmt17(tmp_path)


def test_include_val_is_true_or_false(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.include_val='maybe': use true or false"):
        read_msmt17(tmp_path, include_val="maybe")  # type: ignore[arg-type]
