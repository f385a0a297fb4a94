"""task=evaluate model_file=X: the figures of the checkpoint, by the same evaluation."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import onnx
import pytest
import torch
from tasks.conftest import Outcome, Program
from tasks.exports import checkpoint_of, kinds, sentence

from reid.deploy.answers import Answers
from reid.deploy.card import beside

KINDS = kinds()


@pytest.fixture(scope="module")
def files(program: Program, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """A checkpoint of each kind and its ONNX file, for three images at once: the last batch is padded."""
    made = {}
    for name, kind in KINDS.items():
        folder = tmp_path_factory.mktemp(name)
        checkpoint = checkpoint_of(kind, program, folder)
        words = ["task=export", f"checkpoint={checkpoint}", "task.batch_sizes=[3]", "task.simplify=false"]
        outcome = program.inside(*words)
        assert outcome.status == 0, outcome.err
        made[name] = checkpoint, outcome.folder / f"{kind.name}_bs3.onnx"
    return made


@pytest.fixture(scope="module")
def direct(program: Program, files) -> Callable[[str], dict]:
    """Figures of a kind's ONNX file, evaluated once."""

    @cache
    def found(name: str) -> dict:
        return figures(sentence(program, KINDS[name], "task=evaluate", f"model_file={files[name][1]}"))

    return found


def figures(outcome: Outcome) -> dict:
    assert outcome.status == 0, outcome.err
    return outcome.metrics()


@pytest.mark.parametrize("name", KINDS)
def test_a_file_has_its_checkpoints_figures(name: str, program: Program, files, tmp_path: Path) -> None:
    kind, (checkpoint, path) = KINDS[name], files[name]
    more = ["evaluation.rerank=true"] if name == "osnet" else []
    wanted = figures(sentence(program, kind, "task=evaluate", f"checkpoint={checkpoint}", *more))
    outcome = sentence(
        program, kind, "task=evaluate", f"model_file={path}", f"checkpoint={checkpoint}", *more
    )
    found = figures(outcome)
    keys = [key for key in wanted if key.startswith(("mAP", "mINP", "rank", "rerank")) or "accuracy" in key]
    assert len(keys) >= 6
    for key in keys:
        assert found[key] == pytest.approx(wanted[key], abs=1e-6), key
        assert found["checkpoint_figures"][key] == wanted[key]
        assert found["difference"][key] == pytest.approx(0, abs=1e-6)
    if name == "aligned":
        assert found["distance"] == "global_local"
        assert found["cosine"]["mAP"] == pytest.approx(wanted["cosine"]["mAP"], abs=1e-6)
    assert ("color_accuracy" in keys) == (name == "multitask")
    assert found["model_file"] == str(path)
    assert found["runtime"].startswith("ONNX Runtime")
    assert "file less checkpoint: mAP +0" in outcome.out.replace("-0", "+0")
    told = json.loads((outcome.folder / "evaluation.json").read_text())
    assert told["title"] == "Overall statistical evaluation"
    assert told["value"] == [
        {"key": "R1", "value": told["value"][0]["value"]},
        {"key": "mAP", "value": str(found["mAP"])},
    ]
    assert float(told["value"][0]["value"]) == pytest.approx(found["rank1"])


def test_torchscript_too(program: Program, files, direct) -> None:
    checkpoint, _ = files["osnet"]
    made = program.inside("task=export", f"checkpoint={checkpoint}", "task.format=torchscript")
    words = ["task=evaluate", f"model_file={made.folder / 'osnet_x0_25.pt'}"]
    found = figures(sentence(program, KINDS["osnet"], *words))
    assert found["mAP"] == pytest.approx(direct("osnet")["mAP"], abs=1e-6)
    assert found["runtime"].startswith("TorchScript")


def silent(path: Path, to: Path) -> Path:
    """The file as another program writes it: without a word about its input."""
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, to)
    return to


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_another_program(name: str, program: Program, files, direct, tmp_path: Path) -> None:
    kind, (_, path) = KINDS[name], files[name]
    foreign = silent(path, tmp_path / "foreign.onnx")
    outcome = sentence(program, kind, "task=evaluate", f"model_file={foreign}")
    assert outcome.status == 1
    assert "add model= and data.image_size=" in outcome.err
    told = [f"model={kind.name}", f"data.image_size={list(kind.size)}", *kind.given]
    found = figures(sentence(program, kind, "task=evaluate", f"model_file={foreign}", *told))
    wanted = direct(name)
    assert found["mAP"] == wanted["mAP"]
    assert found["distance"] == wanted["distance"]
    wrong = ["data.image_size=[128,64]" if word.startswith("data.image") else word for word in told]
    outcome = sentence(program, kind, "task=evaluate", f"model_file={foreign}", *wrong)
    assert outcome.status == 1
    assert "set them as it was exported" in outcome.err
    other = "aligned_reid" if name == "osnet" else "osnet"
    if kind.given:
        return  # OSNet takes no guides
    outcome = sentence(program, kind, "task=evaluate", f"model_file={foreign}", f"model={other}", *told[1:])
    assert outcome.status == 1
    assert "name its own model with model=" in outcome.err


def test_a_tensor_alone_from_torchscript(program: Program, direct, tmp_path: Path) -> None:
    """As torchreid's model is traced: no tuple around its feature."""
    network = KINDS["osnet"].network

    class Feature(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.answers = Answers(network)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.answers(image)[0]

    traced = torch.jit.trace(Feature().eval(), torch.zeros(2, 3, 64, 32), check_trace=False)
    path = tmp_path / "feature.pt"
    torch.jit.save(traced, path)
    words = ["task=evaluate", f"model_file={path}", "model=osnet_x0_25", "data.image_size=[64,32]"]
    found = figures(sentence(program, KINDS["osnet"], *words))
    assert found["mAP"] == pytest.approx(direct("osnet")["mAP"], abs=1e-6)


def test_what_cannot_be_evaluated(program: Program, files, tmp_path: Path) -> None:
    kind, (_, path) = KINDS["osnet"], files["osnet"]

    def said(*words: str) -> str:
        outcome = sentence(program, kind, "task=evaluate", *words)
        assert outcome.status == 1
        (line,) = outcome.err.strip().splitlines()
        return line

    assert "checkpoint=PATH" in said()
    assert "no file at" in said(f"model_file={tmp_path / 'none.onnx'}")
    assert "is of another model: osnet_x0_25, not osnet" in said(f"model_file={path}", "model=osnet")
    checkpoint = files["osnet"][0]
    wanted = f"model_file={checkpoint}: this is a checkpoint: use checkpoint={checkpoint}"
    assert wanted in said(f"model_file={checkpoint}")
    om = tmp_path / "osnet.om"
    om.write_bytes(b"om")
    told = ["model=osnet_x0_25", "data.image_size=[64,32]"]
    assert "keep the .json that task=export wrote" in said(f"model_file={om}", *told)
    beside(om).write_text(beside(path).read_text())
    assert "ais_bench, which is not installed" in said(f"model_file={om}")
    hostile = beside(path).read_text().replace("reid.modules.OSNetModule", "os.system")
    beside(om).write_text(hostile)
    assert "asks to build 'os.system'" in said(f"model_file={om}")
