"""Files answer what networks do, for every model and switch, and say what they want."""

import json
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from deploy.exported import MAKERS, SIZE, made
from torch import nn

from reid.deploy import parity
from reid.deploy.card import Card, beside, read_card
from reid.deploy.files import write_onnx, write_torchscript
from reid.deploy.runtimes import RuntimeNetwork, in_batches, open_runtime
from reid.loading.device import normalize, on_device
from reid.tasks.export import as_embedded

SWITCHES = ("heatmap", "segment", "keypoints", "multitask")
COMBINATIONS = [dict(zip(SWITCHES, on, strict=True)) for on in product((False, True), repeat=4)]

Small = tuple[nn.Module, Card]


def worst(found: list[parity.Agreement]) -> float:
    return max(each.relative for each in found)


@pytest.mark.parametrize("name", [name for name in MAKERS if "multitask" not in name])
def test_onnx_answers_as_pytorch(name: str, tmp_path: Path) -> None:
    network, card = made(name)
    simplify = name not in ("osnet", "osnet_x0_5", "osnet_x0_75")  # their graph is osnet_x0_25's
    exported = write_onnx(network, card, tmp_path / f"{name}.onnx", opset=17, simplify=simplify)
    batches = parity.BATCHES if name == "osnet_x0_25" else parity.BATCHES[:2]
    assert worst(parity.compare(open_runtime(exported.path), network, batches=batches)) < 2e-5
    session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["image"]
    assert session.get_inputs()[0].shape == ["batch", 3, *SIZE]
    names = ["global_feature", "local_feature"] if "aligned" in name else ["feature"]
    names = ["heatmaps"] if name == "pose" else names
    assert [each.name for each in session.get_outputs()] == names
    if name == "pose":
        assert card.shapes == {"heatmaps": (36, SIZE[0] // 4, SIZE[1] // 4)}


@pytest.mark.parametrize(
    "switches", COMBINATIONS, ids=lambda on: "-".join(name for name in on if on[name]) or "none"
)
def test_multitask_answers_as_pytorch_whatever_it_sees(switches: dict[str, bool], tmp_path: Path) -> None:
    whole = len(set(switches.values())) == 1  # all or none: with the trunk, which the switches leave alone
    network, card = made("multitask" if whole else "multitask_shallow", **switches)
    path = write_onnx(network, card, tmp_path / "m.onnx", opset=11, simplify=False).path
    runtime = open_runtime(path)
    assert worst(parity.compare(runtime, network, batches=(1, 3))) < 2e-5
    assert list(card.inputs) == ["input", "keypoints"][: 1 + switches["keypoints"]]
    assert card.channels == 3 + 36 * switches["heatmap"] + 13 * switches["segment"]
    roles = ["logits", "attributes.color", "attributes.type", "embedding"]
    wanted = roles if switches["multitask"] else ["logits", "embedding"]
    assert list(card.outputs.values()) == wanted
    assert list(card.outputs) == [f"output{k}" for k in range(1, len(wanted) + 1)]
    if switches["keypoints"]:
        assert card.inputs["keypoints"] == (108,)


def test_logits_are_the_classifiers(tmp_path: Path) -> None:
    network, card = made("multitask_shallow")
    runtime = open_runtime(write_onnx(network, card, tmp_path / "m.onnx", opset=17, simplify=False).path)
    image = torch.randn(2, 3, *SIZE)
    logits = runtime([image.numpy()])[0]
    network.get_submodule("classifier_vid").train()
    with torch.no_grad():
        np.testing.assert_allclose(logits, network(image).logits.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("opset", [11, 13, 20])
def test_opsets(opset: int, small: Small, tmp_path: Path) -> None:
    network, card = small
    path = write_onnx(network, card, tmp_path / "o.onnx", opset=opset, simplify=opset == 13).path
    assert onnx.load(path).opset_import[0].version == opset
    assert worst(parity.compare(open_runtime(path), network, batches=(3,))) < 1e-5


@pytest.mark.parametrize("opset", [10, 21])
def test_other_opsets_are_refused(opset: int, small: Small, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="use 11 to 20"):
        write_onnx(*small, tmp_path / "o.onnx", opset=opset, simplify=True)


def test_torchscript_answers_as_pytorch(small: Small, small_torchscript: Path, tmp_path: Path) -> None:
    network, card = small
    alone = shutil.copy(small_torchscript, tmp_path / "n.pt")
    assert read_card(alone) == card  # it lies inside
    assert worst(parity.compare(open_runtime(alone), network)) < 1e-5


@pytest.mark.parametrize("name", ["aligned_reid_learnt", "multitask_shallow"])
def test_torchscript_has_all_inputs_and_outputs(name: str, tmp_path: Path) -> None:
    switches = {"keypoints": True} if "multitask" in name else {}
    network, card = made(name, **switches)
    path = write_torchscript(network, card, tmp_path / "n.pt").path
    assert worst(parity.compare(open_runtime(path), network)) < 1e-5


@pytest.mark.parametrize("name", ["osnet_x0_25", "multitask_shallow"])
def test_half_inside_is_near_and_float_outside(name: str, tmp_path: Path) -> None:
    network, card = made(name)
    card = replace(card, half=True)
    path = write_onnx(network, card, tmp_path / "h.onnx", opset=17, simplify=True).path
    found = parity.compare(open_runtime(path), network, batches=(3,))
    assert worst(found) < 2e-2
    weights = onnx.load(path).graph.initializer
    assert {onnx.TensorProto.FLOAT16} >= {each.data_type for each in weights if len(each.dims) == 4}
    assert next(network.parameters()).dtype == torch.float32, "the network is left as it is"


def test_one_batch_size_is_one_batch_size(small: Small, tmp_path: Path) -> None:
    network, card = small
    path = write_onnx(
        network, replace(card, batch_size=4), tmp_path / "b.onnx", opset=17, simplify=False
    ).path
    runtime = open_runtime(path)
    assert {each.batch for each in parity.compare(runtime, network)} == {4}
    images = torch.randn(6, 3, *SIZE).numpy()
    with pytest.raises(ValueError, match="takes 4 images at once, got 6"):
        runtime([images])
    with torch.no_grad():
        wanted = network(torch.from_numpy(images)).embedding.numpy()
    np.testing.assert_allclose(in_batches(runtime, [images])[0], wanted, rtol=1e-3, atol=1e-5)


def test_preprocessing_inside_is_the_loaders(small: Small, tmp_path: Path) -> None:
    network, card = small
    card = as_embedded(card)
    path = write_onnx(network, card, tmp_path / "e.onnx", opset=17, simplify=False).path
    runtime = open_runtime(path)
    pictures = torch.randint(0, 256, (3, *SIZE, 3), dtype=torch.uint8)
    with torch.no_grad():
        wanted = network(normalize(pictures)).embedding.numpy()
    np.testing.assert_allclose(runtime([pictures.numpy()])[0], wanted, rtol=1e-3, atol=1e-5)
    assert worst(parity.compare(runtime, network)) < 1e-5
    with pytest.raises(ValueError, match=r"must be \('B', 64, 32, 3\) uint8, got .* float32"):
        runtime([pictures.float().numpy()])


def test_prepared_batches_are_the_data_modules() -> None:
    batch = {
        "image": torch.randint(0, 256, (2, *SIZE, 3), dtype=torch.uint8),
        "guides": torch.randint(0, 256, (2, 36, 64, 64), dtype=torch.uint8),
        "geometry": torch.eye(3)[:2].repeat(2, 1, 1),
    }
    _, card = made("multitask", heatmap=True)
    prepared, wanted = card.prepare(dict(batch)), on_device(dict(batch))  # type: ignore[arg-type]
    assert prepared.keys() == wanted.keys()
    torch.testing.assert_close(prepared["image"], wanted["image"], rtol=1e-5, atol=1e-5)
    inside = as_embedded(card).prepare(dict(batch))["image"]  # type: ignore[arg-type]
    assert inside.dtype == torch.uint8
    assert torch.equal(inside[..., :3], batch["image"])


def test_the_file_carries_its_card(small: Small, small_onnx: Path) -> None:
    _, card = small
    assert read_card(small_onnx) == card
    told = json.loads(beside(small_onnx).read_text())
    assert told["image_size"] == [64, 32]
    assert told["mean"] == [0.485, 0.456, 0.406]
    assert told["std"] == [0.229, 0.224, 0.225]
    assert told["description"]["identities"] == [2, 7, 10, 11, 12]
    assert told["description"]["distance"] == "euclidean"
    assert told["model"] == "osnet_x0_25"
    assert told["checkpoint"] == "best.ckpt"
    props = {each.key: each.value for each in onnx.load(small_onnx).metadata_props}
    assert json.loads(props["reid"]) == told


def test_a_file_that_says_nothing_is_refused(small_onnx: Path, tmp_path: Path) -> None:
    silent = tmp_path / "silent.onnx"
    model = onnx.load(small_onnx)
    del model.metadata_props[:]
    onnx.save(model, silent)
    with pytest.raises(ValueError, match="does not say what its input must look like"):
        open_runtime(silent)
    beside(silent).write_text("{}")
    with pytest.raises(ValueError, match="cannot be read"):
        open_runtime(silent)


def test_what_is_no_file_of_ours(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="task=export writes them"):
        open_runtime(tmp_path / "none.onnx")
    with pytest.raises(ValueError, match=r"\.onnx, \.pt, \.om"):
        open_runtime(tmp_path / "model.tflite")
    (tmp_path / "bad.onnx").write_bytes(b"bad")
    with pytest.raises(ValueError, match="no ONNX file"):
        open_runtime(tmp_path / "bad.onnx")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("kind", ["onnx", "pt"])
def test_cut_files_are_refused(
    kind: str, share: float, small_onnx: Path, small_torchscript: Path, tmp_path: Path
) -> None:
    """Also where the card beside them is whole."""
    path = tmp_path / f"torn.{kind}"
    whole = small_onnx if kind == "onnx" else small_torchscript
    content = whole.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    beside(path).write_text(beside(whole).read_text())
    with pytest.raises(ValueError, match=rf"torn\.{kind} is no (ONNX|TorchScript) file"):
        open_runtime(path)


def test_a_runtime_in_the_networks_place(small: Small, small_onnx: Path) -> None:
    network, _ = small
    image = torch.randn(5, 3, *SIZE)
    with torch.no_grad():
        wanted = network(image)
    found = RuntimeNetwork(open_runtime(small_onnx))(image)
    torch.testing.assert_close(found.embedding, wanted.embedding, rtol=1e-3, atol=1e-5)


def test_a_file_that_differs_is_refused(small: Small, small_onnx: Path) -> None:
    network, _ = small
    found = parity.compare(open_runtime(small_onnx), network, batches=(1,))
    bad = [replace(each, relative=float("nan")) for each in found]
    with pytest.raises(ValueError, match="disagrees with PyTorch at batch 1: feature"):
        parity.check(bad, tolerance=1e-4, file="small.onnx")
