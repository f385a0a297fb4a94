"""task=check of a trainer's devices, on several processes of the CPU; tests/npu has NPUs."""

import json
import re

import pytest

CODES = ["versions", "devices", "bf16", "all-reduce", "training-step", "memory"]


def test_two_processes_sum_and_train(program) -> None:
    outcome = program("task=check", "trainer=ddp_cpu", "check=labels")
    assert outcome.status == 0, outcome.err
    report = json.loads((outcome.folder / "check.json").read_text())
    assert report["counts"]["train"]["identities"] == 8, "the benchmark is checked as well"
    rows = {row["code"]: row for row in report["devices"]}
    assert list(rows) == CODES
    assert {row["level"] for row in rows.values()} == {"note"}
    assert "summed over 2 ranks by gloo, rightly" in rows["all-reduce"]["message"]
    assert re.search(r"16 images a rank: loss \d.* images/s", rows["training-step"]["message"])
    assert all(f"[{code}]" in outcome.out for code in CODES)
    assert outcome.out.count("[all-reduce]") == 1


def test_one_process_is_tried_on_request_alone(program) -> None:
    outcome = program.inside("task=check", "check=none", "task.devices=true")
    assert outcome.status == 0, outcome.err
    report = json.loads((outcome.folder / "check.json").read_text())
    assert list(report) == ["devices"]
    assert [row["code"] for row in report["devices"]] == CODES


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trainer=gpu"], "needs an NVIDIA GPU"),
        (["task.devices=maybe"], "task.devices=maybe: use auto, true or false"),
        ([], "check=none checks nothing"),
    ],
)
def test_what_is_missing_is_one_line(program, words: list[str], message: str) -> None:
    outcome = program.inside("task=check", "check=none", *words)
    assert outcome.status == 1
    (line,) = [text for text in outcome.err.splitlines() if text.startswith("Error: ")]
    assert message in line


def test_a_loss_that_is_not_finite_is_an_error(program) -> None:
    outcome = program.inside(
        "task=check", "check=none", "task.devices=true", "optimizer=sgd", "optimizer.lr=1e30"
    )
    assert outcome.status == 1
    assert "1 error of the devices: training-step; see" in outcome.err
    assert "error: the loss is not finite on ranks [0]" in outcome.out


def test_a_wrong_sum_is_an_error(program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pytorch_lightning.strategies.SingleDeviceStrategy.reduce", lambda _, tensor, **__: 2 * tensor
    )
    outcome = program.inside("task=check", "check=none", "task.devices=true")
    assert outcome.status == 1
    assert "all-reduce" in outcome.err
    assert "error: the sum over 1 ranks is not 1 [all-reduce]" in outcome.out
