"""OM files at work, on pretended tools: the code that talks to ais_bench has never met a real device."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from deploy.exported import made
from deploy.pretend_ascend import InferSession, install
from documents import ROOT
from tasks.conftest import Program
from tasks.exports import checkpoint_of, kinds, sentence

from reid.deploy import ascend, open_runtime, parity
from reid.deploy.files import write_card, write_onnx
from reid.inference import Embedder
from reid.loading.pictures import pixels_of

KIND = kinds()["osnet"]


@dataclass(frozen=True)
class Box:
    """An Ascend box."""

    packages: Path
    checkpoint: Path
    folder: Path  # of two OM files
    figures: dict  # of the checkpoint

    def om(self, *, aipp: bool, batch: int) -> Path:
        return self.folder / ("aipp" if aipp else "plain") / f"{KIND.name}_bs{batch}.om"


@pytest.fixture(scope="module")
def box(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Box:
    folder = tmp_path_factory.mktemp("box")
    tools, packages = install(folder)
    checkpoint = checkpoint_of(KIND, program, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        for name, embed, sizes in (("plain", "false", "[1,5]"), ("aipp", "true", "[5]")):
            words = ["task=export", "task.format=om", "task.simplify=false", f"checkpoint={checkpoint}"]
            words += [f"task.embed_preprocessing={embed}", f"task.batch_sizes={sizes}"]
            words.append(f"hydra.run.dir={folder / name}")
            exported = program.inside(*words)
            assert exported.status == 0, exported.err
    evaluated = sentence(program, KIND, "task=evaluate", f"checkpoint={checkpoint}")
    return Box(packages, checkpoint, folder, evaluated.metrics())


@pytest.fixture
def ais_bench(box: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[Box]:
    """A box whose Python finds the tool."""
    monkeypatch.syspath_prepend(str(box.packages))
    InferSession.calls.clear()
    yield box
    for name in [name for name in sys.modules if name.partition(".")[0] == "ais_bench"]:
        del sys.modules[name]


def pictures(program: Program) -> list[Path]:
    """Query, then gallery, in the order of evaluations."""
    (data,) = program.data.glob("pedestrians*")
    found = [sorted((data / place).glob("*.jpg")) for place in ("query", "bounding_box_test")]
    return [path for side in found for path in side if not path.name.startswith("-1")]


@pytest.mark.parametrize("aipp", [False, True], ids=["plain", "aipp"])
def test_an_om_has_its_checkpoints_figures(program: Program, ais_bench: Box, aipp: bool) -> None:
    om = ais_bench.om(aipp=aipp, batch=5)
    words = [f"model_file={om}", f"checkpoint={ais_bench.checkpoint}"]
    outcome = sentence(program, KIND, "task=evaluate", *words)
    assert outcome.status == 0, outcome.err
    found = outcome.metrics()
    for key in ("mAP", "rank1", "mINP"):
        assert found[key] == pytest.approx(ais_bench.figures[key], abs=1e-6), key
        assert abs(found["difference"][key]) < 1e-6
    assert found["runtime"] == "ais_bench, device 0"
    paths = pictures(program)
    assert sum(len(call["feeds"][0]) for call in InferSession.calls) >= len(paths)
    first = InferSession.calls[0]["feeds"][0]
    height, width = KIND.size
    if aipp:
        assert (first.dtype, first.shape) == (np.uint8, (5, height, width, 3))
    else:
        assert (first.dtype, first.shape) == (np.float32, (5, 3, height, width))
        assert first.nbytes == 5 * 3 * height * width * 4


def test_an_om_is_timed(program: Program, ais_bench: Box) -> None:
    words = ["task=benchmark", f"model_file={ais_bench.om(aipp=True, batch=5)}", "task.seconds=0"]
    outcome = program.inside(*words, "task.rounds=3", "task.warmup=1")
    assert outcome.status == 0, outcome.err
    assert "ais_bench, device 0" in outcome.out
    assert len(InferSession.calls) == 4
    assert (outcome.folder / "benchmark.csv").read_text().splitlines()[1].startswith("5,3,")


def test_an_om_embeds_pictures(program: Program, ais_bench: Box) -> None:
    """Any number of them, by a file for five; on the device that is named."""
    paths = pictures(program)[:7]
    wanted = Embedder(ais_bench.checkpoint, "cpu", progress=False)(paths)
    found = Embedder(ais_bench.om(aipp=True, batch=5), "npu:1", progress=False)(paths)
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max())
    assert [call["device"] for call in InferSession.calls] == [1, 1]
    bytes_in = InferSession.calls[0]["feeds"][0]
    height, width = KIND.size
    for path, given in zip(paths[:5], bytes_in, strict=True):
        resized = cv2.resize(pixels_of(path, name="p"), (width, height), interpolation=cv2.INTER_LINEAR)
        assert given.tobytes() == resized.tobytes(), "RGB, rows of pixels, as AIPP reads them"


def test_several_inputs_and_outputs(ais_bench: Box, tmp_path: Path) -> None:
    """In the order of the file: MultiTaskNet with keypoints, by flat outputs in half precision too."""
    network, card = made("multitask_shallow", keypoints=True, multitask=True)
    card = replace(card, batch_size=2)
    path = write_onnx(network, card, tmp_path / "multitask_bs2.onnx", opset=11, simplify=False).path
    om = path.with_suffix(".om")
    command = ascend.atc_command(card, path, om, soc_version="Ascend310P3")
    assert "--input_shape=input:2,3,64,32;keypoints:2,108" in command
    subprocess.run(
        [sys.executable, ais_bench.folder / "bin" / command[0], *command[1:]], cwd=tmp_path, check=True
    )
    write_card(card, om)
    runtime = open_runtime(om)
    assert max(each.relative for each in parity.compare(runtime, network, batches=(2,))) < 2e-5
    feeds = [np.zeros((2, *shape), np.float32) for shape in card.inputs.values()]
    answers = runtime(feeds)
    exact = runtime.session.infer
    runtime.session.infer = lambda **given: [each.ravel().astype(np.float16) for each in exact(**given)]
    for flat, each in zip(runtime(feeds), answers, strict=True):
        assert (flat.dtype, flat.shape) == (np.float32, each.shape)
        np.testing.assert_allclose(flat, each, rtol=2e-3, atol=2e-3)


def test_the_documented_commands_lead_to_the_checkpoints_figures(
    program: Program, ais_bench: Box, tmp_path: Path
) -> None:
    """Those of docs/deployment.md for the box, as they stand there, for query and gallery."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    command = re.search(r"^cd prepared && python (-m ais_bench .*)$", text, re.MULTILINE)
    assert command is not None
    prepared, converted = tmp_path / "prepared", tmp_path / "converted"
    shutil.copytree(ais_bench.om(aipp=False, batch=1).parent, converted)
    om = converted / f"{KIND.name}_bs1.om"
    elsewhere = om.rename(tmp_path / om.name)  # inputs can be written where atc is not
    with pytest.raises(FileNotFoundError, match=r"osnet_x0_25_bs1\.om: the atc\.sh of task=export"):
        open_runtime(om)
    written = sentence(program, KIND, "task=preprocess", f"model_file={om}", f"hydra.run.dir={prepared}")
    assert written.status == 0, written.err
    elsewhere.rename(om)
    places = os.pathsep.join([str(ais_bench.packages), str(ROOT / "tests")])
    for side in ("query", "gallery"):
        words = re.sub(r"\bquery\b", side, command[1]).split()
        subprocess.run(
            [sys.executable, *words], cwd=prepared, env={**os.environ, "PYTHONPATH": places}, check=True
        )
    back = re.search(r"^python run.py task=postprocess (.*)$", text, re.MULTILINE)
    assert back is not None
    own = [word for word in back[1].split() if word.startswith("task.")]
    own = [word.replace("=prepared", f"={prepared}") for word in own]
    outcome = sentence(program, KIND, "task=postprocess", *own)
    assert outcome.status == 0, outcome.err
    for key in ("mAP", "rank1", "mINP"):
        assert outcome.metrics()[key] == pytest.approx(ais_bench.figures[key], abs=1e-6), key
