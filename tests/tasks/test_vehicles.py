"""MultiTaskNet on the generated vehicles: every switch, every source of guides, one device and two."""

import csv
from itertools import product
from pathlib import Path

import pytest
import torch

from reid.checkpoint import network_weights, read_checkpoint
from reid.datasets import read_veri
from tests.tasks.sent import Sent

SHORT = [
    "model=multitask",
    "data=vehicles",
    "data.drawing={train_identities: 8, test_identities: 4, passes: 2, shots: 2}",
    "data.image_size=[32, 32]",
    "data.batch_size=8",
    "data.images_per_identity=2",
    "trainer.max_epochs=1",
    "trainer.precision=32-true",
    "device.reuse_memory=false",
    "check=labels",
]
SWITCHES = [
    [f"{key}={str(on).lower()}" for key, on in zip(keys, values, strict=True)]
    for keys in [("data.heatmap", "data.segment", "data.keypoints", "model.attributes")]
    for values in product((True, False), repeat=4)
]
ALL = SWITCHES[0]


def weights_of(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return network_weights(read_checkpoint(folder / "checkpoints" / f"{name}.ckpt"))


def same(one: Path, other: Path) -> bool:
    a, b = weights_of(one), weights_of(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("switches", SWITCHES, ids=" ".join)
def test_each_switch_trains_resumes_and_evaluates(program, switches: list[str]) -> None:
    outcome = program.inside(*SHORT, *switches, small=False)
    assert outcome.status == 0, outcome.err
    figures = outcome.metrics()
    assert 0 < figures["mAP"] <= 1
    attributes = "model.attributes=true" in switches
    assert ("color_accuracy" in figures) == ("type_accuracy" in figures) == attributes
    guided = any(f"data.{name}=true" in switches for name in ("heatmap", "segment", "keypoints"))
    pictures = {path.stem for path in (outcome.folder / "plots").iterdir()}
    assert ("guides" in pictures) == guided
    assert ({"confusion_color", "confusion_type"} <= pictures) == attributes

    checkpoint = read_checkpoint(outcome.folder / "checkpoints" / "last.ckpt")
    assert checkpoint["reid"]["attributes"]["color"][0] == "yellow"
    channels = 3 + 36 * ("data.heatmap=true" in switches) + 13 * ("data.segment=true" in switches)
    assert weights_of(outcome.folder)["base.conv0.weight"].shape == (64, channels, 7, 7)

    rest = program.inside(
        *SHORT,
        *switches,
        "trainer.max_epochs=2",
        f"resume={outcome.folder}/checkpoints/last.ckpt",
        small=False,
    )
    assert rest.status == 0, rest.err
    assert [row["epoch"] for row in rest.table()] == ["0", "1"]

    words = [word for word in SHORT if not word.startswith("data.image_size")]  # the checkpoint knows
    words += [word for word in switches if word.startswith("model")]
    again = program.inside(
        "task=evaluate", *words, f"checkpoint={outcome.folder}/checkpoints/best.ckpt", small=False
    )
    assert again.status == 0, again.err
    keys = [key for key in figures if key.endswith(("mAP", "mINP", "accuracy")) or key.startswith("rank")]
    assert {key: again.metrics()[key] for key in keys} == {key: figures[key] for key in keys}


@pytest.fixture(scope="module")
def drawn(program) -> Path:
    """A run whose guides are drawn from keypoints."""
    outcome = program.inside(*SHORT, *ALL, small=False)
    assert outcome.status == 0, outcome.err
    return outcome.folder


def test_a_pack_of_drawn_guides_trains_to_the_same_weights(program, drawn: Path) -> None:
    packed = program.inside("task=pack", "task.compression=lzf", *SHORT, small=False)
    assert packed.status == 0, packed.err
    assert "guides_train.h5: 32 pictures" in packed.out
    assert "guides_query.h5: 8 pictures" in packed.out
    assert "guides_test.h5: 16 pictures" in packed.out
    outcome = program.inside(*SHORT, *ALL, "data.guides=pack", small=False)
    assert outcome.status == 0, outcome.err
    assert same(outcome.folder, drawn)


def test_files_are_written_for_the_drawn_benchmark_and_packed(program, drawn: Path) -> None:
    files = program.inside(*SHORT, *ALL, "data.guides=files", small=False)
    assert files.status == 0, files.err
    assert not same(files.folder, drawn), "JPEG rings"
    packed = program.inside("task=pack", *SHORT, "data.guides=files", small=False)
    assert packed.status == 0, packed.err
    outcome = program.inside(*SHORT, *ALL, "data.guides=pack", small=False)
    assert outcome.status == 0, outcome.err
    assert same(outcome.folder, files.folder)


def test_loader_processes_change_nothing(program, drawn: Path) -> None:
    outcome = program(*SHORT, *ALL, "data.num_workers=2", small=False)
    assert outcome.status == 0, outcome.err
    assert same(outcome.folder, drawn)


def test_tracks_are_ranked_on_request(program, drawn: Path) -> None:
    words = [word for word in SHORT if not word.startswith("model")]
    checkpoint = f"checkpoint={drawn}/checkpoints/best.ckpt"
    outcome = program.inside(
        "task=evaluate", *words, checkpoint, "evaluation.protocol=image_to_track", small=False
    )
    assert outcome.status == 0, outcome.err
    figures = outcome.metrics()
    assert figures["protocol"] == "image_to_track"
    assert (figures["queries"], figures["gallery"]) == (8, 8)
    official = program.inside(
        "task=evaluate", *words, checkpoint, "evaluation.average_precision=trapezoid", small=False
    )
    assert official.status == 0, official.err
    assert (official.metrics()["queries"], official.metrics()["gallery"]) == (8, 16)


def test_wandb_gets_a_matrix_an_attribute(program, drawn: Path) -> None:
    words = [word for word in SHORT if not word.startswith("model")]
    checkpoint = f"checkpoint={drawn}/checkpoints/best.ckpt"
    outcome = program.inside("task=evaluate", "logger=wandb", *words, checkpoint, small=False)
    assert outcome.status == 0, outcome.err
    sent, figures = Sent.of(outcome.folder), outcome.metrics()
    assert (sent.run.job_type, sent.config["data"]["name"]) == ("evaluate", "vehicles")
    trainings = ("train/", "val/", "pictures/training", "pictures/guides")
    assert {key for key in sent.lacks("vehicles") if not key.startswith(trainings)} == set()
    assert {"confusion_color", "confusion_type"} <= sent.pictures()
    for name in ("color", "type"):
        assert sent.charts[f"charts/confusion_{name}"]["panel_config"]["panelDefId"] == (
            "wandb/confusion_matrix/v1"
        )
        cells = sent.table(f"confusion_{name}")
        assert sum(count for _, _, count in cells) == 24  # query and gallery
        assert sum(count for true, named, count in cells if true == named) == pytest.approx(
            24 * figures[f"{name}_accuracy"]
        )


def test_two_devices_make_the_step_of_one_on_the_same_batches(program) -> None:
    """Rank r of 2 takes batches r, r + 2, ...: one step of both is one of two accumulated batches."""
    words = [
        *SHORT,
        *ALL,
        "transforms.train=${transforms.evaluate}",  # augmentation is seeded by rank
        "optimizer=sgd",
        "optimizer.lr=0.1",
        "optimizer.momentum=0",
        "schedule=constant",
        "schedule.warmup_epochs=0",
        "check=none",
    ]
    two = program(*words, "trainer=ddp_cpu", "trainer.limit_train_batches=1", small=False)
    assert two.status == 0, two.err
    accumulated = ["trainer.limit_train_batches=2", "trainer.accumulate_grad_batches=2"]
    one = program.inside(*words, *accumulated, small=False)
    assert one.status == 0, one.err
    learnt, wanted = weights_of(two.folder), weights_of(one.folder)
    steps = [read_checkpoint(each.folder / "checkpoints" / "last.ckpt")["global_step"] for each in (one, two)]
    assert steps == [1, 1]
    for name in wanted:
        if "running" not in name and "num_batches" not in name:  # each device has its own statistics
            torch.testing.assert_close(learnt[name], wanted[name], rtol=1e-4, atol=1e-5, msg=name)


def test_a_sweep_over_switches_leaves_a_table(program) -> None:
    outcome = program(
        "-m",
        f"hydra.sweep.dir={program.work}/switches",
        "experiment=multitask_veri",
        *(word for word in SHORT if not word.startswith("model")),
        "optimizer.lr=3e-4,7e-4",
        "data.heatmap=true,false",
        small=False,
    )
    assert outcome.status == 0, outcome.err
    with (program.work / "switches" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    asked = [(float(row["optimizer.lr"]), row["data.heatmap"]) for row in rows]
    assert sorted(asked) == [(3e-4, "False"), (3e-4, "True"), (7e-4, "False"), (7e-4, "True")]
    assert all(0 < float(row["mAP"]) <= 1 and 0 <= float(row["color_accuracy"]) <= 1 for row in rows)
    assert "optimizer.lr  data.heatmap" in outcome.out


def test_attributes_of_ones_own_pictures_are_learnt_and_compared_by_name(
    program, data: Path, tmp_path: Path
) -> None:
    bare = program.inside(*SHORT, small=False)
    folder = next(data.glob("vehicles-*"))
    benchmark = read_veri(folder, name="vehicles")
    lines = ["image,identity,camera,split,color"]
    for part in ("train", "query", "gallery"):
        for record in getattr(benchmark, part):
            color = benchmark.attributes["color"][record.attributes["color"]]
            color = "violet" if color == "blue" else color
            where = record.path.relative_to(folder)
            lines.append(f"{where},{record.identity},{record.camera},{part},{color}")
    (tmp_path / "cars.csv").write_text("\n".join(lines) + "\n")
    own = ["data=folder", f"data.path={folder}", f"data.table={tmp_path}/cars.csv", *SHORT[3:]]

    outcome = program.inside("model=multitask", *own, "evaluation.same_camera=exclude", small=False)
    assert outcome.status == 0, outcome.err
    assert "color_accuracy" in outcome.metrics()
    assert "type_accuracy" not in outcome.metrics()
    names = read_checkpoint(outcome.folder / "checkpoints" / "last.ckpt")["reid"]["attributes"]["color"]
    assert names == sorted(names)
    assert weights_of(outcome.folder)["classifier_vcolor.weight"].shape[0] == len(names)

    checkpoint = f"checkpoint={bare.folder}/checkpoints/best.ckpt"
    again = program.inside("task=evaluate", *own, checkpoint, small=False)
    assert again.status == 0, again.err
    blue = benchmark.attributes["color"].index("blue")
    test = [*benchmark.query, *benchmark.gallery]
    judged = sum(record.attributes["color"] != blue for record in test)  # violet is no value of the network's
    right = again.metrics()["color_accuracy"] * judged
    assert right == pytest.approx(round(right), abs=1e-4)


MISTAKES = {
    "guides of people": (
        ["data=pedestrians", "data.heatmap=true"],
        "have no keypoints",
    ),
    "channels": (["model=osnet_x0_25", "data.heatmap=true"], "takes 3 channels, images have 39"),
    "no files": (["data.guides=elsewhere", "data.heatmap=true"], "data.guides='elsewhere': use keypoints or"),
    "tracks": (["evaluation.protocol=image_to_track", "evaluation.rerank=true"], "rerank"),
    "frame": (["data.heatmap_frame=square"], "heatmap_frame=square is for published files"),
    "vocabulary": (["data.attributes={color: 11}"], "data.attributes={'color': 11}, vehicles has"),
    "switch": (["data.segment=maybe"], "data.segment='maybe': use true or false"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line(program, name: str) -> None:
    words, message = MISTAKES[name]
    base = SHORT if "data=pedestrians" not in words else ["model=multitask", *SHORT[3:]]
    outcome = program.inside(*base, *words, small=False)
    assert outcome.status == 1
    assert message in outcome.err, outcome.err
    assert "Traceback" not in outcome.err
