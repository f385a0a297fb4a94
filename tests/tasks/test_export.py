"""task=export: files, export.json, the converters' commands, and what is refused."""

import json
import os
from pathlib import Path

import pytest
from tasks.conftest import Outcome, Program

from reid.deploy import open_runtime, read_card

FAKE_ATC = """#!/bin/sh
for word in "$@"; do case "$word" in --output=*) touch "${word#--output=}.om";; esac; done
echo "ATC run success, $*"
"""
PLAIN = ("task=export", "task.simplify=false")  # simplifying takes as long again, and is tested once


@pytest.fixture(scope="module")
def best(trained: Outcome) -> str:
    return f"checkpoint={trained.folder}/checkpoints/best.ckpt"


def test_onnx_is_compared_with_pytorch(program: Program, best: str) -> None:
    outcome = program.inside("task=export", best)
    assert outcome.status == 0, outcome.err
    report = json.loads((outcome.folder / "export.json").read_text())
    (row,) = report["files"]
    assert row["file"] == "osnet_x0_25.onnx"
    assert [each["batch"] for each in row["parity"]] == [1, 3, 16]
    assert all(each["relative"] < 1e-5 and each["cosine"] > 0.99999 for each in row["parity"])
    assert "largest difference to PyTorch" in outcome.out
    card = read_card(outcome.folder / row["file"])
    assert card.image_size == (64, 32)
    assert len(card.description["identities"]) == 8
    assert card.checkpoint.endswith("best.ckpt")


def test_a_file_for_each_batch_size(program: Program, best: str) -> None:
    outcome = program.inside(*PLAIN, best, "task.batch_sizes=[1,4]")
    assert outcome.status == 0, outcome.err
    runtimes = [open_runtime(outcome.folder / f"osnet_x0_25_bs{size}.onnx") for size in (1, 4)]
    assert [each.card.batch_size for each in runtimes] == [1, 4]


def test_torchscript(program: Program, best: str) -> None:
    outcome = program.inside("task=export", best, "task.format=torchscript")
    assert outcome.status == 0, outcome.err
    assert open_runtime(outcome.folder / "osnet_x0_25.pt").card.model == "osnet_x0_25"


def test_without_atc_the_commands_are_left(
    program: Program, best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    words = [*PLAIN, best, "task.format=om", "task.embed_preprocessing=true", "task.batch_sizes=[1,8]"]
    outcome = program.inside(*words)
    assert outcome.status == 1
    assert len(outcome.err.strip().splitlines()) == 1
    assert "atc is not on PATH" in outcome.err
    script = (outcome.folder / "atc.sh").read_text().splitlines()
    assert script[-2:] == [
        f"atc --framework=5 --model=osnet_x0_25_bs{size}.onnx --input_format=NCHW"
        f" --input_shape=image:{size},3,64,32 --output=osnet_x0_25_bs{size} --log=error"
        " --soc_version=Ascend310 --insert_op_conf=aipp.cfg"
        for size in (1, 8)
    ]
    assert os.access(outcome.folder / "atc.sh", os.X_OK)
    aipp = (outcome.folder / "aipp.cfg").read_text()
    for line in ("input_format: RGB888_U8", "src_image_size_w: 32", "min_chn_0: 123.675"):
        assert line in aipp
    assert "var_reci_chn_0: 0.0171247538" in aipp
    told = json.loads((outcome.folder / "osnet_x0_25_bs8.om.json").read_text())
    assert told["embedded"]
    assert told["inputs"] == {"image": [64, 32, 3]}
    assert not read_card(outcome.folder / "osnet_x0_25_bs8.onnx").embedded
    allowed = program.inside(*words, "task.batch_sizes=[1]", "task.allow_missing_tool=true")
    assert allowed.status == 0
    assert "atc is not on PATH" in allowed.err


def test_atc_is_run_where_it_is(
    program: Program, best: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tool = tmp_path / "atc"
    tool.write_text(FAKE_ATC)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    outcome = program.inside(*PLAIN, best, "task.format=om", "task.soc_version=Ascend310P3")
    assert outcome.status == 0, outcome.err
    assert (outcome.folder / "osnet_x0_25_bs1.om").is_file()
    assert "--soc_version=Ascend310P3" in (outcome.folder / "osnet_x0_25_bs1.om.log").read_text()
    tool.write_text("#!/bin/sh\necho 'E10001: no such chip'\nexit 3\n")
    failed = program.inside(*PLAIN, best, "task.format=om")
    assert failed.status == 1
    assert "atc ended with status 3" in failed.err
    assert "E10001: no such chip" in failed.err


def test_mindir_has_its_converters_command(program: Program, best: str) -> None:
    outcome = program.inside(*PLAIN, best, "task.format=mindir", "task.allow_missing_tool=true")
    assert outcome.status == 0, outcome.err
    script = (outcome.folder / "converter_lite.sh").read_text().splitlines()
    assert script[-1] == (
        "converter_lite --fmk=ONNX --modelFile=osnet_x0_25_bs1.onnx --outputFile=osnet_x0_25_bs1"
        " --saveType=MINDIR --inputShape=image:1,3,64,32"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task.format=tflite"], "use onnx, torchscript, om or mindir"),
        (["task.batch_sizes=[0]"], "task.batch_sizes=[0]"),
        (["task.batch_sizes=[2,2]"], "different whole numbers"),
        (["task.opset=9"], "use 11 to 20"),
        (["task.format=om", "task.soc_version=310"], "Ascend310P3"),
        (["task.tolerance=0"], "disagrees with PyTorch"),
    ],
)
def test_mistakes(words: list[str], said: str, program: Program, best: str) -> None:
    outcome = program.inside(*PLAIN, best, *words)
    assert outcome.status == 1
    assert said in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_no_checkpoint(program: Program) -> None:
    outcome = program.inside("task=export")
    assert outcome.status == 1
    assert "task=export needs checkpoint=PATH" in outcome.err
