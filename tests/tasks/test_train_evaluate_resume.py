"""The contract of run.py: what a run leaves, and that evaluating and resuming change nothing."""

import json
import re
import signal
import time
from pathlib import Path
from statistics import fmean
from unittest import mock

import pytest
import torch
from omegaconf import OmegaConf

from reid.callbacks import RetrievalMetrics
from reid.checkpoint import network_weights, read_checkpoint


def test_a_run_leaves_its_page_of_results(trained) -> None:
    folder = trained.folder
    assert OmegaConf.load(folder / "config.yaml").model.name == "osnet_x0_25"
    for picture in ("training", "cmc", "ranked_lists"):
        assert (folder / "plots" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    metrics = trained.metrics()
    for figure in ("mAP", "mINP", "rank1", "rank5", "rank10", "rank20"):
        assert 0 <= metrics[figure] <= 1
        assert 0 <= metrics["cosine"][figure] <= 1
    assert metrics["queries"] == 18
    assert metrics["queries_skipped"] == 0
    assert metrics["gallery"] == 18 + 4, (
        "one more shot of each of 6 identities by 3 cameras, and the distractors"
    )
    assert metrics["train_images_per_second"] >= 0
    assert metrics["evaluation_seconds"] > 0
    assert "mAP" in trained.out
    assert "rank-1" in trained.out
    rows = trained.table()
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert max(float(row["val/mAP"]) for row in rows) == pytest.approx(metrics["mAP"], abs=1e-6)


def test_a_run_ends_with_one_page_of_everything(trained) -> None:
    page = (trained.folder / "report.html").read_text()
    (data,) = re.findall(r'id="data">(.*?)</script>', page)
    lists = json.loads(data)["lists"]
    assert len(lists) == 18, "as few queries are all shown"
    assert {one["group"] for one in lists} == {"best", "typical", "worst"}
    metrics, rows = trained.metrics(), trained.table()
    assert fmean(one["ap"] for one in lists) == pytest.approx(100 * metrics["mAP"])
    assert fmean(one["found"][0]["match"] for one in lists) == pytest.approx(metrics["rank1"])
    assert f"<td>{100 * metrics['mAP']:.1f}</td>" in page
    assert page.count("<svg") == 4, "losses, scores, learning rate, CMC"
    assert f"epoch 2: {float(rows[1]['train/loss']):.4g}<" in page
    assert "python run.py" in page
    assert "trainer.max_epochs=2" in page
    assert "max_epochs: 2" in page


def test_a_run_says_nothing_but_its_own_lines(trained) -> None:
    assert "site-packages" not in trained.err, "warnings of other packages are not for the user"


def test_checkpoints_hold_data_only(trained) -> None:
    for name in ("best", "last"):
        checkpoint = read_checkpoint(trained.folder / "checkpoints" / f"{name}.ckpt")
        assert checkpoint["reid"]["model"]["network"]["_target_"] == "reid.networks.OSNet"
        assert checkpoint["reid"]["image_size"] == [64, 32]
        assert checkpoint["optimizer_states"]


def test_evaluating_the_best_checkpoint_gives_the_very_same_figures(program, trained, small) -> None:
    # not told the image size: the checkpoint knows it
    sentence = [word for word in small if not word.startswith("data.image_size")]
    checkpoint = f"checkpoint={trained.folder}/checkpoints/best.ckpt"
    outcome = program.inside("task=evaluate", checkpoint, *sentence, small=False)
    assert outcome.status == 0, outcome.err
    ours, theirs = outcome.metrics(), trained.metrics()
    for figure in ("mAP", "mINP", "rank1", "rank5", "rank10", "rank20", "queries", "gallery", "cosine"):
        assert ours[figure] == theirs[figure], figure


def test_reranking_adds_figures_and_changes_none(program, trained, small) -> None:
    sentence = ["task=evaluate", f"checkpoint={trained.folder}/checkpoints/best.ckpt", *small]
    outcome = program.inside(*sentence, "evaluation.rerank=true", "evaluation.reranking.k1=5", small=False)
    assert outcome.status == 0, outcome.err
    figures = outcome.metrics()
    assert figures["mAP"] == trained.metrics()["mAP"]
    assert 0 < figures["rerank_mAP"] <= 1
    assert {"rerank_mINP", "rerank_rank1", "rerank_rank20"} <= figures.keys()
    assert "re-ranked" in outcome.out


def test_further_figures_are_those_of_the_final_network(program, trained, small) -> None:
    sentence = ["task=evaluate", f"checkpoint={trained.folder}/checkpoints/best.ckpt", *small]
    words = [
        "evaluation.query_expansion=1",
        "evaluation.single_shot=10",
        "evaluation.verification=[1e-2,0.5]",
    ]
    outcome = program.inside(*sentence, *words, small=False)
    assert outcome.status == 0, outcome.err
    figures = outcome.metrics()
    for kind in ("expanded", "single_shot"):
        assert {f"{kind}_mAP", f"{kind}_rank1", f"{kind}_rank20"} <= figures.keys()
    assert figures["single_shot_rank20"] == 1, "a gallery of fewer identities"
    assert 0 <= figures["tpr_at_fpr_0.01"] <= figures["tpr_at_fpr_0.5"] <= 1
    little = program.inside(*sentence, *words, "evaluation.memory=64kB", "report=false", small=False)
    assert little.status == 0, little.err
    same = [key for key in figures if key.endswith(("mAP", "rank1", "rank5", "0.5"))]
    assert [little.metrics()[key] for key in same] == [figures[key] for key in same]
    assert "queries expanded" in outcome.out
    assert "single-shot galleries" in outcome.out
    assert "at FPR 0.01" in outcome.out
    assert (outcome.folder / "plots" / "roc.png").is_file()
    assert "<h2>ROC curve</h2>" in (outcome.folder / "report.html").read_text()
    assert not (little.folder / "report.html").exists()
    assert not any(key.startswith(("rerank_", "tpr_", "expanded_")) for key in trained.metrics())


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(program) -> None:
    options = ["data.sampler=identity", "data.images_per_identity=4", "model.loss_weights.triplet=1.0"]
    whole = program.inside("trainer.max_epochs=3", *options)
    first = program.inside("trainer.max_epochs=1", "schedule.epochs=3", *options)
    assert whole.status == first.status == 0, first.err
    rest = program.inside("trainer.max_epochs=3", f"resume={first.folder}/checkpoints/last.ckpt", *options)
    assert rest.status == 0, rest.err
    assert same_training(whole.folder, rest.folder)
    assert len(rest.table()) == 3, "the history comes along"
    assert [row["val/mAP"] for row in rest.table()] == [row["val/mAP"] for row in whole.table()]


def test_ctrl_c_saves_in_mid_epoch_and_the_rest_is_the_same(program) -> None:
    options = ["trainer.max_epochs=40", "schedule=constant", "data.batch_size=8"]
    process, folder = program.start(*options)
    deadline = time.monotonic() + 120
    while not (folder / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    stopped = read_checkpoint(folder / "checkpoints" / "last.ckpt")
    epochs = stopped["epoch"] + 2
    options[0] = f"trainer.max_epochs={epochs}"
    rest = program.inside(f"resume={folder}/checkpoints/last.ckpt", *options)
    whole = program.inside(*options)
    assert rest.status == whole.status == 0, rest.err
    assert same_training(whole.folder, rest.folder)


def same_training(one: Path, other: Path) -> bool:
    a, b = (read_checkpoint(folder / "checkpoints" / "last.ckpt") for folder in (one, other))
    assert a["global_step"] == b["global_step"]
    weights, others = network_weights(a), network_weights(b)
    return all(torch.equal(weights[name], others[name]) for name in weights)


def test_one_and_two_processes_evaluate_to_the_last_digit(program, trained) -> None:
    outcome = program(
        "task=evaluate",
        f"checkpoint={trained.folder}/checkpoints/best.ckpt",
        "trainer=ddp_cpu",
    )
    assert outcome.status == 0, outcome.err
    theirs = trained.metrics()
    for figure, value in outcome.metrics().items():
        if figure not in ("evaluation_seconds", "checkpoint"):
            assert value == theirs[figure], figure


def test_two_processes_train_with_pk_batches(program) -> None:
    outcome = program(
        "trainer=ddp_cpu",
        "trainer.max_epochs=1",
        "data.batch_size=8",
        "data.sampler=identity",
        "data.images_per_identity=2",
        "model.loss_weights.triplet=1.0",
    )
    assert outcome.status == 0, outcome.err
    assert 0 <= outcome.metrics()["mAP"] <= 1
    assert len(outcome.table()) == 1


def test_ctrl_c_in_an_evaluation_ends_with_its_status(program, trained, small) -> None:
    checkpoint = f"checkpoint={trained.folder}/checkpoints/best.ckpt"
    with mock.patch.object(RetrievalMetrics, "on_validation_batch_end", side_effect=KeyboardInterrupt):
        outcome = program.inside("task=evaluate", checkpoint, *small, small=False)
    assert outcome.status == 130
    assert "Traceback" not in outcome.err
