"""Dashboards: what a run sends, without a network."""

import pytest


def test_wandb_writes_an_offline_run_with_figures_and_pictures(program) -> None:
    outcome = program.inside("logger=wandb", "trainer.max_epochs=1")
    assert outcome.status == 0, outcome.err
    runs = list((outcome.folder / "wandb").glob("offline-run-*"))
    assert len(runs) == 1
    assert list(runs[0].glob("run-*.wandb"))
    media = {path.name.split("_0_")[0].split("_1_")[0] for path in runs[0].rglob("*.png")}
    assert any("ranked_lists" in name for name in media), media


def test_tensorboard_writes_events(program) -> None:
    pytest.importorskip("tensorboard")
    outcome = program.inside("logger=tensorboard", "trainer.max_epochs=1")
    assert outcome.status == 0, outcome.err
    assert list((outcome.folder / "tensorboard").rglob("events.out.tfevents.*"))
