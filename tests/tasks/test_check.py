"""task=check and the same before a training: status, table, check.json, picture, one line of errors."""

import json
import logging
import shutil
from pathlib import Path

import pytest
from checks.miniature import draw, market1501, msmt17
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from reid.checks import check
from reid.datasets import read_market1501
from reid.tasks.build import build_datamodule
from reid.tasks.check import before_training, table

ROOT = Path(__file__).parents[2]
COUNTS = [
    "data.counts.train={images: 16, identities: 4, cameras: 2}",
    "data.counts.query={images: 8, identities: 4, cameras: 2}",
    "data.counts.gallery={images: 17, cameras: 2}",
]
FIRST = "bounding_box_train/0001_c1s1_000001_00.jpg"


@pytest.fixture
def market(tmp_path: Path) -> Path:
    return market1501(tmp_path / "market1501")


def sentence(root: Path, *words: str) -> list[str]:
    return ["task=check", "data=market1501", f"paths.data={root.parent}", *COUNTS, *words]


def test_a_whole_benchmark_ends_with_status_0(program, market: Path) -> None:
    outcome = program.inside(*sentence(market), small=False)

    assert outcome.status == 0, outcome.err
    assert "nothing was found" in outcome.out
    lines = [line.split() for line in outcome.out.splitlines()[:4]]
    assert lines[0] == [
        "market1501",
        "images",
        "published",
        "identities",
        "published",
        "cameras",
        "published",
    ]
    assert lines[1] == ["train", "16", "16", "4", "4", "2", "2"]
    assert lines[3] == ["gallery", "17", "17", "5", "2", "2"], "identities of the gallery are not stated"
    assert (outcome.folder / "plots" / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")
    assert (outcome.folder / "config.yaml").is_file()
    report = json.loads((outcome.folder / "check.json").read_text())
    assert report["counts"]["query"] == {"images": 8, "identities": 4, "cameras": 2}
    assert report["published"]["gallery"] == {"images": 17, "cameras": 2}
    assert report["findings"] == []


def test_errors_end_with_status_1_and_one_line(program, market: Path) -> None:
    (market / FIRST).write_bytes(b"")
    shutil.rmtree(market / "query")
    shutil.copytree(market / "bounding_box_test", market / "query")
    draw(market / "bounding_box_train" / "0001_c1s1_000009_00.jpg", size=(32, 8))

    outcome = program.inside(*sentence(market), small=False)

    assert outcome.status == 1
    (line,) = [text for text in outcome.err.splitlines() if text.startswith("Error: ")]
    assert "3 errors in market1501: counts-differ, distractors-in-query, empty-files; see" in line
    levels = [text.split(":")[0] for text in outcome.out.splitlines() if ": " in text]
    assert levels == ["error"] * 3 + ["warning"] * 2, "errors first"
    report = json.loads((outcome.folder / "check.json").read_text())
    empty = next(finding for finding in report["findings"] if finding["code"] == "empty-files")
    assert empty["examples"] == [str(market / FIRST)]
    assert (outcome.folder / "plots" / "contact_sheet.png").is_file(), "a picture of it, all the same"


def test_a_benchmark_that_cannot_be_read_says_why(program, tmp_path: Path) -> None:
    msmt17(msmt17(tmp_path / "msmt17"), release="V2")
    outcome = program.inside("task=check", "data=msmt17", f"paths.data={tmp_path}", small=False)
    assert outcome.status == 1
    (line,) = [text for text in outcome.err.splitlines() if text.startswith("Error: ")]
    assert "both releases" in line


def test_the_generated_benchmark_is_whole(program) -> None:
    outcome = program.inside("task=check")
    assert outcome.status == 0, outcome.err
    assert "nothing was found" in outcome.out


def test_in_a_sweep_that_leaves_no_figures(program, market: Path, tmp_path: Path) -> None:
    words = ["-m", f"hydra.sweep.dir={tmp_path}/sweep"]
    outcome = program(*words, *sentence(market, "data.verify=true,false"), small=False)
    assert outcome.status == 0, outcome.err
    assert len(list(tmp_path.glob("sweep/*/check.json"))) == 2


def datamodule(root: Path, *words: str):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return build_datamodule(compose("config", ["paths.output=outputs/test", *sentence(root, *words)]))


def test_a_training_is_stopped_by_all_errors_in_one_line(market: Path) -> None:
    (market / FIRST).write_bytes(b"")
    draw(market / "query" / "0001_c1s1_000009_00.jpg")

    with pytest.raises(ValueError, match=r"^3 errors in market1501: .*check=none") as stopped:
        before_training(datamodule(market))
    for words in ("query has 9 images", "training identities are in query", "are empty", "data.verify=false"):
        assert words in str(stopped.value)
    assert "\n" not in str(stopped.value)

    with pytest.raises(ValueError, match=r"^2 errors"):
        before_training(datamodule(market), extent="labels")
    before_training(datamodule(market), extent="none")
    with pytest.raises(ValueError, match="check='some': use full, labels or none"):
        before_training(datamodule(market), extent="some")


def test_warnings_are_logged_and_let_it_go_on(market: Path, caplog: pytest.LogCaptureFixture) -> None:
    (market / FIRST).write_bytes(b"")
    short = ["data.sampler=identity", "data.images_per_identity=8", "data.on_bad_image=skip"]
    caplog.set_level(logging.INFO)

    before_training(datamodule(market, *short))

    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert any("all 4 training identities have fewer than" in text for text in warnings)
    assert any("left out" in text for text in warnings)
    assert "41 images checked in" in caplog.text


def test_a_subset_is_no_error_where_it_is_wanted(market: Path) -> None:
    for file in (market / "bounding_box_train").glob("0004*"):
        file.unlink()
    with pytest.raises(ValueError, match="is not the published benchmark"):
        before_training(datamodule(market))
    before_training(datamodule(market, "data.verify=false"))


def test_the_table_leaves_out_what_nobody_published(market: Path) -> None:
    benchmark = read_market1501(market)
    assert table(benchmark, {}).splitlines()[0].split() == ["market1501", "images", "identities", "cameras"]
    assert check(benchmark, counts={}) == []
