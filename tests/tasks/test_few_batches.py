"""An evaluation of fewer batches than processes."""

import pytest


def test_three_processes_share_a_batch(program, trained) -> None:
    words = [
        "task=evaluate",
        f"checkpoint={trained.folder}/checkpoints/best.ckpt",
        "data.evaluation_batch_size=500",
    ]
    one = program.inside(*words)
    three = program(*words, "trainer=ddp_cpu", "trainer.devices=3")
    assert (one.status, three.status) == (0, 0), one.err + three.err
    for name, value in one.metrics().items():
        if isinstance(value, int | float) and name != "evaluation_seconds":
            assert three.metrics()[name] == pytest.approx(value, abs=1e-6), name
