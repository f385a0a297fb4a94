"""Keypoints through run.py: trained, resumed, evaluated, drawn; and what is refused."""

import json

import pytest
import torch
from hydra import compose, initialize_config_dir

from reid.checkpoint import read_checkpoint
from reid.modules import PoseModule
from reid.tasks.build import trained_module
from tests.tasks.conftest import ROOT, Outcome, Program
from tests.tasks.sent import Sent

SMALL = [
    "model=pose",
    "data=vehicles_pose",
    "model.width=4",
    "model.modules=[1,1,1]",
    "data.drawing={train_identities: 8, test_identities: 1, passes: 2, shots: 2}",
    "data.image_size=[64,64]",
    "data.batch_size=8",
    "data.evaluation_batch_size=5",
    "schedule=constant",
    "trainer.max_epochs=2",
    "trainer.precision=32-true",
    "device.reuse_memory=false",
]
GROUPS = ("wheel", "fender", "back", "front", "windshield_back", "windshield_front")


@pytest.fixture(scope="module")
def trained_pose(program: Program) -> Outcome:
    outcome = program(*SMALL, "logger=wandb", small=False)
    assert outcome.status == 0, outcome.err
    return outcome


def test_a_training_leaves_figures_and_pictures(trained_pose: Outcome) -> None:
    figures = trained_pose.metrics()
    for prefix in ("pck", "pck_legacy"):
        assert {prefix, f"{prefix}_at_0.1", *(f"{prefix}_{group}" for group in GROUPS)} <= set(figures)
    assert figures["pictures"] == 8
    rows = trained_pose.table()
    assert len(rows) == 2
    assert figures["pck"] == pytest.approx(max(float(row["val/pck"]) for row in rows), abs=1e-6)
    assert all(0 < float(row["train/loss"]) < 0.1 for row in rows)
    for name in ("guides", "poses", "training"):
        assert (trained_pose.folder / "plots" / f"{name}.png").is_file()
    page = (trained_pose.folder / "report.html").read_text()
    assert "<h2>Poses: worst and best pictures</h2>" in page
    assert "Ranked lists" not in page
    assert "PCK@0.1" in trained_pose.out
    assert "vehicles_pose, pck_legacy" in trained_pose.out
    assert "PCK " in trained_pose.err


def test_wandb_gets_poses_and_a_bar_a_group(trained_pose: Outcome) -> None:
    sent, figures = Sent.of(trained_pose.folder), trained_pose.metrics()
    assert sent.pictures() == {"guides", "poses", "training"}
    assert sent.charts["charts/pck"]["panel_config"]["panelDefId"] == "wandb/bar/v0"
    bars = {"all": 100 * figures["pck"]}
    bars |= {group.replace("_", " "): 100 * figures[f"pck_{group}"] for group in GROUPS}
    assert dict(sent.table("pck")) == pytest.approx(bars)
    assert len([row for row in sent.rows if "val/pck" in row]) == 2
    assert sent.last("final/pck_legacy") == figures["pck_legacy"]
    assert sent.lacks("pose") == set()


def test_its_checkpoint_is_evaluated_to_the_same_figures(program: Program, trained_pose: Outcome) -> None:
    best = trained_pose.folder / "checkpoints" / "best.ckpt"
    assert "identities" not in torch.load(best, weights_only=True)["reid"]
    words = [word for word in SMALL if word.startswith(("data=", "data.drawing", "trainer.p", "device"))]
    again = program("task=evaluate", f"checkpoint={best}", *words, small=False)
    assert again.status == 0, again.err
    assert "<h1>pose (best.ckpt) on vehicles_pose</h1>" in (again.folder / "report.html").read_text()
    ours, theirs = again.metrics(), trained_pose.metrics()
    keys = [key for key in theirs if key.startswith("pck")]
    assert {key: ours[key] for key in keys} == pytest.approx({key: theirs[key] for key in keys})


@pytest.mark.parametrize("embedded", ["false", "true"])
def test_an_exported_file_has_the_checkpoints_figures(
    program: Program, trained_pose: Outcome, embedded: str
) -> None:
    best = f"checkpoint={trained_pose.folder / 'checkpoints' / 'best.ckpt'}"
    words = ["task=export", best, f"task.embed_preprocessing={embedded}", "task.simplify=false"]
    exported = program.inside(*words, small=False)
    assert exported.status == 0, exported.err
    file = f"model_file={exported.folder / 'pose.onnx'}"
    words = [word for word in SMALL if word.startswith(("data=", "data.drawing", "trainer.p", "device"))]
    outcome = program.inside("task=evaluate", file, best, *words, small=False)
    assert outcome.status == 0, outcome.err
    assert "<h1>pose (pose.onnx) on vehicles_pose</h1>" in (outcome.folder / "report.html").read_text()
    assert set(outcome.metrics()["difference"].values()) == {0.0}
    assert outcome.metrics()["pck"] == pytest.approx(trained_pose.metrics()["pck"])
    refused = program.inside("task=preprocess", file, "data=vehicles_pose", *words, small=False)
    assert refused.status == 1
    assert "evaluate files of model=pose with task=evaluate" in refused.err


def test_three_processes_find_what_one_finds(program: Program, trained_pose: Outcome) -> None:
    """Of eight pictures three processes are given three each: one comes twice."""
    best = trained_pose.folder / "checkpoints" / "best.ckpt"
    words = [word for word in SMALL if word.startswith(("data", "trainer.p", "device"))]
    words += ["trainer=ddp_cpu", "trainer.devices=3", "trainer.bind_cores=false", "check=none"]
    three = program("task=evaluate", f"checkpoint={best}", *words, small=False)
    assert three.status == 0, three.err
    ours, theirs = three.metrics(), trained_pose.metrics()
    keys = [key for key in theirs if key.startswith("pck") or key == "pictures"]
    assert {key: ours[key] for key in keys} == pytest.approx({key: theirs[key] for key in keys}, abs=1e-9)
    assert "PCK" in three.out


def test_how_heatmaps_are_read_is_chosen_at_evaluation(trained_pose: Outcome) -> None:
    checkpoint = read_checkpoint(trained_pose.folder / "checkpoints" / "best.ckpt")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for words, flip_test, reading in (
            ([], True, "quarter"),
            (["model=pose", "model.flip_test=false", "model.reading=soft"], False, "soft"),
        ):
            config = compose("config", ["paths.output=outputs/test", *words])
            module = trained_module(checkpoint, config)
            assert isinstance(module, PoseModule)
            assert (module.flip_test, module.reading) == (flip_test, reading)


def test_a_resumed_training_ends_as_one_without_a_break(program: Program, trained_pose: Outcome) -> None:
    half = program(*SMALL, "trainer.max_epochs=1", small=False)
    assert half.status == 0, half.err
    resumed = program(*SMALL, f"resume={half.folder}/checkpoints/last.ckpt", small=False)
    assert resumed.status == 0, resumed.err
    for ours, theirs in zip(resumed.table(), trained_pose.table(), strict=True):
        for key in ("train/loss", "val/pck", "val/pck_legacy"):
            assert float(ours[key]) == pytest.approx(float(theirs[key]), abs=1e-6)
    a, b = (
        torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (resumed, trained_pose)
    )
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=pose"], "PoseModule cannot be used with pedestrians"),
        (["data=vehicles_pose", "model=osnet"], "cannot be used with vehicles_pose"),
        ([*SMALL, "data.heatmap=true"], "data.heatmap=true is an option of re-identification"),
        ([*SMALL, "data.image_size=[48,64]"], "multiples of 32"),
        ([*SMALL, "evaluate_on=[pedestrians]"], "identities and keypoints"),
        (["task=check", "data=vehicles_pose"], "task=check is for re-identification"),
        (["model=pose", "data=veri_pose"], "veri_pose was not found"),
    ],
)
def test_what_does_not_fit_is_said_in_a_line(program: Program, words: list[str], message: str) -> None:
    shorter = [] if words[1:] else ["check=none"]
    outcome = program.inside(*words, *shorter, small=False)
    assert outcome.status == 1
    assert message in outcome.err or message in (outcome.folder / "run.log").read_text()


def test_figures_are_plain_json(trained_pose: Outcome) -> None:
    assert json.loads((trained_pose.folder / "metrics.json").read_text())["epoch"] in (1, 2)
