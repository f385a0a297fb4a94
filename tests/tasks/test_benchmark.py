"""task=benchmark: a row a batch size, a plot, published figures marked as such."""

import csv
import json
import time
from pathlib import Path

import pytest
from tasks.conftest import Outcome, Program

from reid.deploy.published import published_speeds
from reid.deploy.timing import time_calls

SHORT = ["task=benchmark", "task.batch_sizes=[1,3]", "task.warmup=1", "task.rounds=3"]


@pytest.fixture(scope="module")
def best(trained: Outcome) -> str:
    return f"checkpoint={trained.folder}/checkpoints/best.ckpt"


def rows(outcome: Outcome) -> list[dict[str, str]]:
    assert outcome.status == 0, outcome.err
    with (outcome.folder / "benchmark.csv").open() as file:
        return list(csv.DictReader(file))


def check(found: list[dict[str, str]], sizes: list[int]) -> None:
    assert [int(row["batch_size"]) for row in found] == sizes
    for row in found:
        assert int(row["rounds"]) == 3
        assert 0 < float(row["median_ms"]) <= float(row["p95_ms"])
        assert 1 < float(row["peak_memory_mb"]) < 1e6
        assert float(row["images_per_second"]) > 0


def test_a_checkpoint_and_its_files(program: Program, best: str) -> None:
    outcome = program.inside(*SHORT, best)
    check(rows(outcome), [1, 3])
    told = json.loads((outcome.folder / "benchmark.json").read_text())
    assert told["model"] == "osnet_x0_25"
    assert told["runtime"].startswith("torch")
    assert told["published_on_other_machines"][0]["images_per_second"]["8"] == 715.7
    assert "published figures of other machines (not measured here)" in outcome.out
    assert (outcome.folder / "plots" / "throughput.png").stat().st_size > 10_000
    for kind, file in (("onnx", "osnet_x0_25.onnx"), ("torchscript", "osnet_x0_25.pt")):
        exported = program.inside("task=export", best, f"task.format={kind}", "task.simplify=false")
        outcome = program.inside(*SHORT, f"model_file={exported.folder / file}")
        check(rows(outcome), [1, 3])
        assert outcome.out.startswith(
            "osnet_x0_25 by " + ("ONNX Runtime" if kind == "onnx" else "TorchScript")
        )


def test_the_clock_starts_after_the_warmup_and_stops_in_time() -> None:
    calls = []
    timing = time_calls(
        lambda: calls.append(time.sleep(0.02 if len(calls) >= 2 else 0.3)),
        batch_size=5,
        warmup=2,
        rounds=4,
        seconds=60,
    )
    assert len(calls) == 6
    assert timing.rounds == 4
    assert timing.median_ms >= 20
    assert timing.images_per_second <= 5 / 0.02
    assert time_calls(lambda: None, batch_size=1, warmup=0, rounds=1000, seconds=0).rounds == 3


def test_published_figures_are_of_the_models_family() -> None:
    (t4,) = [each for each in published_speeds("osnet") if each.device == "NVIDIA T4"]
    assert t4.images_per_second[16] == 2261.5
    assert {each.work for each in published_speeds("aligned_reid")} == {"training"}
    assert published_speeds("pose") == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "task=benchmark needs one network: give checkpoint=PATH"),
        (["task.batch_sizes=[0]"], "use whole numbers of 1 or more"),
        (["task.rounds=0"], "task.rounds=0: use 1 or more"),
    ],
)
def test_mistakes(words: list[str], said: str, program: Program, tmp_path: Path) -> None:
    outcome = program.inside("task=benchmark", *words)
    assert outcome.status == 1
    assert said in outcome.err
