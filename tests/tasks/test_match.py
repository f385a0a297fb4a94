"""task=match: two pictures, by the threshold that a training leaves, and what a user does wrong."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from tasks.conftest import Outcome, Program
from tasks.exports import checkpoint_of, kinds

from reid.checkpoint import read_checkpoint, write_checkpoint
from reid.deploy.card import read_card
from reid.inference import Embedder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("pictures")
    numbers = np.random.default_rng(0)
    names = [str(folder / name) for name in ("a.png", "b.png")]
    for name in names:
        cv2.imwrite(name, numbers.integers(0, 256, (90, 40, 3), dtype=np.uint8))
    return names


def matched(program: Program, *words: str) -> Outcome:
    return program.inside("task=match", *words, small=False)


def result(outcome: Outcome) -> dict:
    assert outcome.status == 0, outcome.err
    return json.loads((outcome.folder / "match.json").read_text())


def test_a_training_leaves_a_threshold(trained: Outcome) -> None:
    best, last = (trained.folder / "checkpoints" / f"{name}.ckpt" for name in ("best", "last"))
    told = read_checkpoint(best)["reid"]["threshold"]
    assert told == trained.metrics()["match_threshold"]
    assert (told["distance"], told["benchmark"]) == ("euclidean", "pedestrians")
    # 18 queries of 6 identities; 22 gallery images, of which 18 are 3 of each identity, and 4 are of none
    assert told["false_positive_rate"] == 1 / (18 * (22 - 3)), "one pair, the least that so few allow"
    assert told["value"] > 0
    assert "threshold" not in read_checkpoint(last)["reid"]
    assert not os.path.samefile(best, last)
    assert read_checkpoint(best)["optimizer_states"], "it can be resumed from"


def test_same_and_different(program: Program, trained: Outcome, pictures: list[str]) -> None:
    path = trained.folder / "checkpoints" / "best.ckpt"
    a, b = pictures
    features = Embedder(path, device="cpu", progress=False)([a, b]).astype(np.float64)
    wanted = ((features[0] - features[1]) ** 2).sum()
    told = trained.metrics()["match_threshold"]
    found = result(outcome := matched(program, f"task.images=[{a},{b}]", f"checkpoint={path}"))
    assert found["value"] == pytest.approx(wanted, rel=1e-3, abs=1e-4)
    assert found["threshold"]["value"] == told["value"]
    assert found["same"] == (wanted <= told["value"])
    assert outcome.out.startswith("same: " if found["same"] else "different: ")
    twice = result(outcome := matched(program, f"task.images=[{a},{a}]", f"checkpoint={path}"))
    assert twice["same"] is True
    assert outcome.out.startswith("same: euclidean distance ")
    for factor, same in ((0.9, False), (1.1, True)):
        words = [f"task.images=[{a},{b}]", f"checkpoint={path}", f"task.threshold={factor * wanted}"]
        assert result(matched(program, *words))["same"] is same
    other = result(outcome := matched(program, *words[:2], "evaluation.distance=cosine"))
    assert other["same"] is None, "the threshold is of another distance"
    cosine = 1 - (features[0] @ features[1]) / np.sqrt((features**2).sum(1)).prod()
    assert other["value"] == pytest.approx(cosine, rel=1e-3, abs=1e-5)
    assert "task.threshold=NUMBER" in outcome.out


def test_exported_files_carry_it(program: Program, trained: Outcome, pictures: list[str]) -> None:
    path = trained.folder / "checkpoints" / "best.ckpt"
    words = ["task=export", f"checkpoint={path}", "task.format=torchscript"]
    exported = program.inside(*words, small=False)
    assert exported.status == 0, exported.err
    file = exported.folder / "osnet_x0_25.pt"
    told = trained.metrics()["match_threshold"]
    assert read_card(file).description["threshold"] == told
    images = f"task.images=[{','.join(pictures)}]"
    by_file = result(matched(program, images, f"model_file={file}"))
    by_checkpoint = result(matched(program, images, f"checkpoint={path}"))
    assert by_file["threshold"]["value"] == told["value"]
    assert by_file["value"] == pytest.approx(by_checkpoint["value"], rel=1e-3, abs=1e-4)


def test_without_one_the_distance_is_said(program: Program, trained: Outcome, pictures: list[str]) -> None:
    last = trained.folder / "checkpoints" / "last.ckpt"
    outcome = matched(program, f"task.images=[{','.join(pictures)}]", f"checkpoint={last}")
    found = result(outcome)
    assert found["same"] is found["threshold"] is None
    assert outcome.out.startswith(f"euclidean distance {found['value']:.6g}; ")
    assert "checkpoints/best.ckpt" in outcome.out
    evaluated = program.inside("task=evaluate", f"checkpoint={last.with_name('best.ckpt')}")
    assert evaluated.status == 0, evaluated.err
    ours, theirs = (each.metrics()["match_threshold"] for each in (evaluated, trained))
    assert ours == {**theirs, "value": pytest.approx(theirs["value"], rel=1e-3, abs=1e-6)}


def test_local_distances_are_refused(program: Program, pictures: list[str], tmp_path: Path) -> None:
    path = checkpoint_of(kinds()["aligned"], program, tmp_path)
    checkpoint = read_checkpoint(path)
    write_checkpoint({**checkpoint, "reid": {**checkpoint["reid"], "distance": "global_local"}}, path)
    words = [f"task.images=[{','.join(pictures)}]", f"checkpoint={path}"]
    outcome = matched(program, *words)
    assert outcome.status == 1
    assert "compared by global_local, which looks at local features" in outcome.err + outcome.out
    found = result(matched(program, *words, "evaluation.distance=global"))
    features = Embedder(path, device="cpu", progress=False)(pictures)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert found["value"] == pytest.approx(((unit[0] - unit[1]) ** 2).sum(), rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task.images=[a.png,b.png]"], "task=match needs one network: give checkpoint=PATH"),
        (["task.images=[a.png]", "checkpoint=x.ckpt"], "name two pictures"),
        (["checkpoint=x.ckpt"], "name two pictures"),
        (["task.images=[a.png,b.png]", "checkpoint=x.ckpt", "task.threshold=near"], "task.threshold='near'"),
        (["task.images=[a.png,b.png]", "checkpoint=x.ckpt", "task.threshold=-1"], "task.threshold=-1"),
        (["task.images=[a.png,b.png]", "checkpoint=x.ckpt"], "task.images: there is no picture at a.png"),
        (["task.images=[run.py,run.py]", "checkpoint=nothing.ckpt"], "no checkpoint at nothing.ckpt"),
    ],
)
def test_mistakes_are_named(program: Program, words: list[str], said: str) -> None:
    outcome = matched(program, *words)
    assert outcome.status == 1
    assert said in outcome.err + outcome.out
