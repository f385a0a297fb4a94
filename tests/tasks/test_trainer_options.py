"""Options of the trainer that need no `+`, and those that are ours."""

import os

import pytest


@pytest.mark.parametrize(("kind", "said"), [("simple", "training_step"), ("pytorch", "aten::conv")])
def test_a_profile_lies_in_the_run_s_folder(program, kind: str, said: str) -> None:
    words = [f"trainer.profiler={kind}", "trainer.limit_train_batches=2", "trainer.max_epochs=1"]
    outcome = program.inside(*words, "check=none")
    assert outcome.status == 0, outcome.err
    (row,) = outcome.table()
    assert row["step"] == "2"
    assert said in (outcome.folder / "fit-profile.txt").read_text()
    assert bool(list(outcome.folder.glob("*profile*.pt.trace.json"))) == (kind == "pytorch")


def test_a_training_stops_after_so_many_steps(program) -> None:
    outcome = program.inside("trainer.max_steps=4", "trainer.max_epochs=9", "check=none")
    assert outcome.status == 0, outcome.err
    assert outcome.table()[-1]["step"] == "4", "48 images in batches of 16"
    assert 0 <= outcome.metrics()["mAP"] <= 1


def test_speed_is_of_all_devices_and_of_each_and_the_rate_is_scaled(program) -> None:
    words = ["trainer.scale_lr=linear", "trainer.max_epochs=1", "data.batch_size=8", "check=none"]
    words += ["optimizer.lr=0.0003", "schedule=constant", "schedule.warmup_epochs=0"]
    alone = program.inside(*words)
    assert float(alone.table()[0]["learning_rate"]) == pytest.approx(3e-4)
    assert "learning rate" not in alone.err
    outcome = program(*words, "trainer=ddp_cpu")
    assert outcome.status == 0, outcome.err
    (row,) = outcome.table()
    assert float(row["learning_rate"]) == pytest.approx(6e-4)
    assert "learning rate 0.0006 (0.0003 x 2 processes)" in outcome.err
    speed = float(row["train/images_per_second"])
    assert speed == pytest.approx(2 * float(row["train/images_per_second_per_device"]))
    assert 0 <= float(row["train/data_wait"]) <= 1


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two cores",
)
def test_ranks_are_bound_or_refused(program) -> None:
    words = ["trainer=ddp_cpu", "trainer.bind_cores=true", "data.batch_size=8", "check=none"]
    outcome = program(*words, "trainer.max_epochs=1")
    assert outcome.status == 0, outcome.err
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})  # what a process may use, its children may
        refused = program(*words)
    finally:
        os.sched_setaffinity(0, before)
    assert refused.status == 1
    lines = [line for line in refused.err.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, refused.err
    assert "2 ranks on this machine, and 1 cores" in lines[0]
