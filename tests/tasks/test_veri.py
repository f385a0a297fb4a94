"""VeRi's real folders and files, in miniature, through run.py."""

from pathlib import Path

import pytest
from datasets.veri_miniature import TRAIN, write_csv, write_veri

from reid.checkpoint import read_checkpoint

SHORT = [
    "model=multitask",
    "data=veri",
    "data.image_size=[32, 32]",
    "data.batch_size=4",
    "data.images_per_identity=2",
    "trainer.max_epochs=1",
    "trainer.precision=32-true",
    "device.reuse_memory=false",
]


def test_pamtris_files_train_and_evaluate(program, tmp_path: Path) -> None:
    write_veri(tmp_path / "veri", xml=False)
    outcome = program.inside(
        *SHORT,
        f"paths.data={tmp_path}",
        "data.heatmap=true",
        "data.segment=true",
        "data.keypoints=true",
        small=False,
    )
    assert outcome.status == 0, outcome.err
    figures = outcome.metrics()
    assert (figures["queries"], figures["queries_skipped"], figures["gallery"]) == (2, 0, 5)
    assert {"color_accuracy", "type_accuracy"} <= figures.keys()
    checkpoint = read_checkpoint(outcome.folder / "checkpoints" / "last.ckpt")["reid"]
    assert checkpoint["identities"] == [1, 3]
    assert checkpoint["attributes"]["type"][8] == "estate"
    tracks = program.inside(
        "task=evaluate",
        "data=veri",
        f"paths.data={tmp_path}",
        f"checkpoint={outcome.folder}/checkpoints/last.ckpt",
        "evaluation.protocol=image_to_track",
        small=False,
    )
    assert tracks.status == 1
    assert "test_track.txt" in tracks.err, "PAMTRI's files have no tracks"


def test_the_release_is_compared_with_its_published_counts(program, tmp_path: Path) -> None:
    write_veri(tmp_path / "veri")
    outcome = program.inside(*SHORT, f"paths.data={tmp_path}", small=False)
    assert outcome.status == 1
    assert "train has 4 images, published are 37,778: 37,774 are missing" in outcome.err
    subset = ["data.verify=false", "evaluation.protocol=image_to_track"]
    accepted = program.inside(*SHORT, f"paths.data={tmp_path}", *subset, small=False)
    assert accepted.status == 0, accepted.err
    assert accepted.metrics()["gallery"] == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.heatmap=true", "data.guides=files"], r"heatmap_train is missing"),
        (["data.segment=true", "data.guides=pack"], r"guides_train.h5 is missing: write it with task=pack"),
        (["data.labels=json"], "data.labels='json': use xml, csv"),
    ],
)
def test_what_is_missing_is_said_before_the_training(program, tmp_path: Path, words, message: str) -> None:
    write_veri(tmp_path / "veri", xml=False)
    outcome = program.inside(*SHORT, f"paths.data={tmp_path}", *words, small=False)
    assert outcome.status == 1
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_guides_of_the_release_alone_need_keypoints(program, tmp_path: Path) -> None:
    write_veri(tmp_path / "veri", csv=False)
    words = ["data.verify=false", "data.heatmap=true"]
    outcome = program.inside(*SHORT, f"paths.data={tmp_path}", *words, small=False)
    assert outcome.status == 1
    assert "have no keypoints" in outcome.err
    assert "label_train.csv" in outcome.err


def test_a_bad_row_is_one_line(program, tmp_path: Path) -> None:
    write_veri(tmp_path / "veri", xml=False)
    write_csv(tmp_path / "veri" / "label_train.csv", [("0001_c001_00016450_0.jpg", 1, 1, 12), *TRAIN[1:]])
    outcome = program.inside(*SHORT, f"paths.data={tmp_path}", small=False)
    assert outcome.status == 1
    assert "has type 12, which is none of 1 sedan, 2 suv" in outcome.err
