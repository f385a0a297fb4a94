"""Dashboards: what a run sends, without a network."""

import base64
import csv
import hashlib
import json
import os
import subprocess
import sys

import pytest
import wandb
from omegaconf import OmegaConf

from reid.checkpoint import read_checkpoint
from reid.tasks.logged import go_on_in_run
from tests.tasks.conftest import Outcome
from tests.tasks.sent import Sent
from tests.tasks.wandb_server import serving

EPOCHS = {"train/loss", "train/learning_rate", "train/images_per_second", "val/mAP", "val/mINP", "val/rank1"}


@pytest.fixture(scope="module")
def logged(program, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One epoch, as a job of a sweep."""
    with pytest.MonkeyPatch.context() as patch:
        wandb.teardown()  # what it read of the environment for an earlier run of this process
        patch.setenv("WANDB_RUN_GROUP", "a-sweep")
        patch.setenv("WANDB_NAME", "0_job")
        patch.delenv("WANDB_DATA_DIR", raising=False)
        outcome = program.inside("logger=wandb", "logger.artifact=best", "trainer.max_epochs=1")
    assert outcome.status == 0, outcome.err
    return outcome


@pytest.fixture(scope="module")
def sent(logged: Outcome) -> Sent:
    return Sent.of(logged.folder)


def test_a_run_belongs_to_its_sweep(sent: Sent) -> None:
    run = sent.run
    assert (run.project, run.run_group, run.job_type) == ("reid", "a-sweep", "train")
    assert (run.display_name, sorted(run.tags)) == ("0_job", ["osnet_x0_25", "pedestrians"])
    assert sent.exit_code == 0


def test_its_choices_are_nested_plain_values(sent: Sent, logged: Outcome) -> None:
    saved = OmegaConf.to_container(OmegaConf.load(logged.folder / "config.yaml"))
    assert {key: sent.config[key] for key in saved} == saved
    assert sent.config["data"]["image_size"] == [64, 32]


def test_an_epoch_is_a_point_of_each_curve(sent: Sent, logged: Outcome) -> None:
    for key in EPOCHS:
        assert sum(key in row for row in sent.rows) == 1, key  # the final evaluation is not an epoch
    with (logged.folder / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert sent.last("val/mAP") == pytest.approx(float(row["val/mAP"]))
    assert sent.last("train/learning_rate") == float(row["learning_rate"])


def test_the_end_is_sent_once_and_whole(sent: Sent, logged: Outcome) -> None:
    (row,) = [row for row in sent.rows if any(key.startswith("final/") for key in row)]
    figures = logged.metrics()
    numbers = {f"final/{key}": value for key, value in figures.items() if isinstance(value, int | float)}
    numbers |= {f"final/cosine/{key}": value for key, value in figures["cosine"].items()}
    assert {key: value for key, value in row.items() if key.startswith("final/")} == numbers
    assert {key.split("/")[0] for row in sent.rows for key in row if "/" in key} == {
        "train",
        "trainer",
        "val",
        "final",
        "charts",
        "pictures",
    }


def test_charts_and_pictures_are_there(sent: Sent, logged: Outcome) -> None:
    groups = {f"ranked_lists_{group}" for group in ("best", "typical", "worst")}
    assert sent.pictures() == {"training", "cmc", "ranked_lists", *groups}
    assert sent.charts["charts/cmc"]["panel_config"]["panelDefId"] == "wandb/line/v0"
    curve = [share for rank, share, line in sent.table("cmc") if line == "euclidean"]
    figures = logged.metrics()
    shares = {rank: 100 * figures[f"rank{rank}"] for rank in (1, 5, 10, 20)}
    assert {rank: curve[rank - 1] for rank in shares} == pytest.approx(shares)
    uploaded = {item.path for record in sent.records["files"] for item in record.files}
    assert len([path for path in uploaded if path.startswith("media/images/pictures/")]) == 6


def test_the_best_checkpoint_is_an_artifact_on_request(sent: Sent, logged: Outcome) -> None:
    (artifact,) = [one for one in sent.records["artifact"] if one.type == "model"]
    assert (artifact.name, sorted(artifact.aliases)) == ("osnet_x0_25-pedestrians", ["best", "latest"])
    best = logged.folder / "checkpoints" / "best.ckpt"
    (entry,) = artifact.manifest.contents
    (waiting,) = [each for one in sent.records["artifact"] for each in one.manifest.contents if each != entry]
    assert waiting.local_path.startswith(f"{logged.folder}/wandb/"), "an offline run is in one folder"
    assert (entry.path, entry.local_path, entry.size) == ("best.ckpt", str(best), best.stat().st_size)
    assert base64.b64decode(entry.digest) == hashlib.md5(best.read_bytes()).digest()
    told = json.loads(artifact.metadata)
    figures = {key: value for key, value in logged.metrics().items() if isinstance(value, int | float)}
    assert told["figures"] == pytest.approx(figures)
    assert (told["choices"]["model"], told["choices"]["logger"]) == ("osnet_x0_25", "wandb")
    assert "logger.artifact=best" in told["command"]
    assert (told["image_size"], told["seed"]) == ([64, 32], 1)


def test_what_cannot_be_an_artifact(program) -> None:
    outcome = program.inside("logger=wandb", "logger.artifact=last")
    assert outcome.status == 1
    assert "logger.artifact=last: use none or best" in outcome.err


def test_panels_have_what_they_show(sent: Sent) -> None:
    assert sent.lacks("people") == {"train/triplet", "train/aligned"}  # losses that this model does without


def test_an_offline_run_is_sent_whole_later(sent: Sent, logged: Outcome) -> None:
    with serving() as server:
        command = [sys.executable, "-m", "wandb", "sync", "--yes", str(sent.files.parent)]
        environment = {**os.environ, **server.environment}
        done = subprocess.run(
            command, cwd=logged.folder, env=environment, capture_output=True, text=True, timeout=300
        )
    assert done.returncode == 0, done.stderr
    assert (server.runs[0]["name"], server.runs[0]["groupName"]) == (sent.run.run_id, "a-sweep")
    media = {str(path.relative_to(sent.files)): path.read_bytes() for path in sent.files.rglob("media/*/*/*")}
    assert len(media) == 7
    assert {name: server.files[name] for name in media} == media
    assert server.files["artifact/best.ckpt"] == (logged.folder / "checkpoints" / "best.ckpt").read_bytes()
    assert [row["val/mAP"] for row in server.history if "val/mAP" in row] == [sent.last("val/mAP")]
    assert json.loads(server.files["wandb-summary.json"])["final/mAP"] == logged.metrics()["mAP"]


def test_a_resumed_training_goes_on_in_its_run(program, logged: Outcome, sent: Sent) -> None:
    last = logged.folder / "checkpoints" / "last.ckpt"
    assert read_checkpoint(last)["wandb"] == {"project": "reid", "id": sent.run.run_id}
    outcome = program.inside("logger=wandb", "trainer.max_epochs=2", f"resume={last}")
    assert outcome.status == 0, outcome.err
    rest = Sent.of(outcome.folder)
    assert (rest.run.run_id, rest.run.resume) == (sent.run.run_id, True)
    assert [row["epoch"] for row in rest.rows if "val/mAP" in row] == [1]
    best = read_checkpoint(outcome.folder / "checkpoints" / "best.ckpt")
    assert best["wandb"] == {"project": "reid", "id": sent.run.run_id}


def test_a_training_that_starts_from_weights_is_a_run_of_its_own(
    program, logged: Outcome, sent: Sent
) -> None:
    best = logged.folder / "checkpoints" / "best.ckpt"
    outcome = program.inside("logger=wandb", "trainer.max_epochs=1", "report=false", f"model.weights={best}")
    assert outcome.status == 0, outcome.err
    assert Sent.of(outcome.folder).run.run_id != sent.run.run_id


@pytest.mark.parametrize(
    ("logger", "id"),
    [
        ({"project": "reid", "id": None}, "known"),
        ({"project": "reid", "id": "mine"}, "mine"),
        ({"project": "another", "id": None}, None),
    ],
)
def test_a_run_is_gone_on_in_unless_another_is_asked_for(logger: dict, id: str | None) -> None:
    config = OmegaConf.create({"logger": logger})
    go_on_in_run(config, {"wandb": {"project": "reid", "id": "known"}})
    assert config.logger.id == id
    go_on_in_run(OmegaConf.create({"logger": {}}), {"wandb": {"project": "reid", "id": "known"}})
    go_on_in_run(config, {})
    assert config.logger.id == id


def test_a_run_that_fails_is_a_failed_one_in_wandb(program) -> None:
    outcome = program.inside("logger=wandb", "trainer.max_epochs=2", "optimizer.lr=1e9")
    assert outcome.status == 1
    assert Sent.of(outcome.folder).exit_code == 1


def test_tensorboard_writes_events(program) -> None:
    pytest.importorskip("tensorboard")
    outcome = program.inside("logger=tensorboard", "trainer.max_epochs=1")
    assert outcome.status == 0, outcome.err
    assert list((outcome.folder / "tensorboard").rglob("events.out.tfevents.*"))
