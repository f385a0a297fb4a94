"""Features of pictures outside of tasks: what goes in, and that what comes out is what the network says."""

import logging
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from deploy.exported import made
from torch import nn

import reid
from reid.checkpoint import write_checkpoint
from reid.deploy.card import Card
from reid.deploy.files import write_onnx, write_torchscript
from reid.inference import Embedder

ROOT = Path(__file__).parents[2]
NETWORKS = {
    "osnet_x0_25": ("OSNet", {"num_identities": 5, "channels": [16, 64, 96, 128]}),
    "aligned_reid": ("AlignedReID", {"num_identities": 5}),
    "multitask": ("MultiTaskNet", {"num_identities": 5, "attributes": {"color": 4, "type": 3}}),
}


def write(path: Path, name: str, **switches: bool) -> tuple[nn.Module, Card]:
    """A checkpoint of a network that nobody trained."""
    network, card = made(name, **switches)
    kind, settings = NETWORKS[name]
    module = {"OSNet": "OSNet", "AlignedReID": "AlignedReID", "MultiTaskNet": "MultiTask"}[kind]
    section = {
        "name": name,
        "_target_": f"reid.modules.{module}Module",
        "network": {"_target_": f"reid.networks.{kind}", **settings, **switches},
        "losses": {"identity": {"_target_": "reid.losses.IdentityLoss"}},
        "loss_weights": {"identity": 1.0},
    }
    weights = {f"network.{key}": value for key, value in network.state_dict().items()}
    write_checkpoint({"state_dict": weights, "reid": {**card.description, "model": section}}, path)
    return network, card


def by_hand(network: nn.Module, pictures: list[np.ndarray]) -> Any:
    """The published preprocessing, written out: bilinear, to 0..1, ImageNet's mean and deviation."""
    resized = [cv2.resize(picture, (32, 64), interpolation=cv2.INTER_LINEAR) for picture in pictures]
    image = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        return network((image - mean[:, None, None]) / std[:, None, None])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of different sizes, without loss, one in a folder below."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below").mkdir()
    numbers = np.random.default_rng(0)
    for row, name in enumerate(["a.png", "b.PNG", "c.png", "below/d.png", "e.png"]):
        picture = numbers.integers(0, 256, (70 + row, 40 + row, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / name), picture)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module, Card]:
    path = tmp_path_factory.mktemp("checkpoint") / "best.ckpt"
    return path, *write(path, "osnet_x0_25")


@pytest.fixture(scope="module")
def embedder(trained: tuple[Path, nn.Module, Card]) -> Embedder:
    return Embedder(trained[0], device="cpu", batch_size=2, progress=False)


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


ORDER = ["a.png", "b.PNG", "below/d.png", "c.png", "e.png"]


@pytest.mark.parametrize("kind", ["onnx runtime", "none installed", "torch", "onnx", "torchscript"])
def test_features_are_the_networks(
    kind: str,
    trained: tuple[Path, nn.Module, Card],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, network, card = trained
    if kind == "none installed":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    elif kind == "onnx":
        fixed = replace(card, batch_size=2)
        path = write_onnx(network, fixed, tmp_path / "x.onnx", opset=17, simplify=False).path
    elif kind == "torchscript":
        path = write_torchscript(network, card, tmp_path / "x.pt").path
    size = None if kind == "onnx" else 3
    embedder = Embedder(str(path), "cpu", batch_size=size, runtime="torch" if kind == "torch" else "auto")
    assert embedder.engine.name.startswith(
        {"none installed": "torch", "torch": "torch", "torchscript": "TorchScript"}.get(kind, "ONNX Runtime")
    )
    found = embedder.describe(folder)
    assert found.names == [str(folder / name) for name in ORDER]
    wanted = by_hand(network, [read(folder / name) for name in ORDER]).embedding.numpy()
    assert found.embedding.dtype == np.float32
    assert np.abs(found.embedding - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_every_form_of_a_picture_gives_the_same(embedder: Embedder, folder: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    path = folder / "a.png"
    array = read(path)
    forms = [path, str(path), [path], [array], array, array[None], image_module.open(path), (path,)]
    first = embedder(path)
    assert first.shape == (1, embedder.dim) == (1, 512)
    for form in forms:
        assert np.array_equal(embedder(form), first)
    mixed = embedder([array, folder / "e.png", image_module.open(path)])
    assert np.allclose(mixed[[0, 2]], first, atol=1e-5)
    assert embedder([]).shape == (0, 512)
    assert embedder([]).dtype == np.float32


@pytest.mark.parametrize("name", ["aligned_reid", "multitask"])
def test_stripes_and_attributes(name: str, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    network, _ = write(path, name)
    embedder = Embedder(path, device="cpu", progress=False)
    found = embedder.describe(folder)
    wanted = by_hand(network, [read(folder / each) for each in ORDER])
    close = {"rtol": 1e-3, "atol": 1e-4 * float(wanted.embedding.abs().max())}
    assert np.allclose(found.embedding, wanted.embedding, **close)
    if name == "aligned_reid":
        assert found.stripes is not None
        assert np.allclose(found.stripes, wanted.stripes, rtol=1e-3, atol=1e-4)
        assert embedder.describe([]).stripes.shape[1:] == wanted.stripes.shape[1:]
        return
    best = wanted.attributes["color"].argmax(1)
    assert found.attribute("color") == [["yellow", "red", "blue", "gray"][value] for value in best]
    assert found.stripes is None


def test_a_bad_picture_is_named_or_left_out(
    embedder: Embedder, trained: tuple[Path, nn.Module, Card], folder: Path, tmp_path: Path, caplog: Any
) -> None:
    bad = tmp_path / "broken.png"
    bad.write_bytes((folder / "a.png").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"broken\.png breaks off.*on_bad_image='skip'"):
        embedder([folder / "a.png", bad])
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        embedder(tmp_path / "nothing.png")
    patient = Embedder(trained[0], device="cpu", on_bad_image="skip", progress=False)
    with caplog.at_level(logging.WARNING):
        found = patient.describe([bad, folder / "a.png"])
    assert found.names == [str(folder / "a.png")]
    assert "1 of 2 pictures are left out" in caplog.text
    assert "broken.png" in caplog.text


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((8, 8), np.uint8), r"\(8, 8\) uint8: arrays of pictures are \(H, W, 3\) uint8, RGB"),
        (np.zeros((8, 8, 3), np.float32), r"\(8, 8, 3\) float32"),
    ],
)
def test_an_array_of_another_form_is_refused(embedder: Embedder, picture: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        embedder(picture)


def test_mistakes_are_named(trained: tuple[Path, nn.Module, Card], tmp_path: Path) -> None:
    guided = tmp_path / "guided.ckpt"
    write(guided, "multitask", keypoints=True)
    with pytest.raises(ValueError, match="sees 36 keypoints beside each picture"):
        Embedder(guided, device="cpu")
    checkpoint = torch.load(trained[0], weights_only=True)
    del checkpoint["reid"]["image_size"]
    write_checkpoint(checkpoint, tmp_path / "silent.ckpt")
    with pytest.raises(ValueError, match="does not say its image_size, and nothing is guessed"):
        Embedder(tmp_path / "silent.ckpt", device="cpu")
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt"):
        Embedder(tmp_path / "none.ckpt")
    wrongs = [{"device": "tpu"}, {"batch_size": 0}, {"num_workers": 0}, {"precision": "8"}]
    for wrong in [*wrongs, {"runtime": "tvm"}]:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Embedder(trained[0], **wrong)  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no pictures"):
        Embedder(trained[0], device="cpu")(tmp_path / "empty")


def test_reid_knows_its_embedder_without_importing_it() -> None:
    assert reid.Embedder is Embedder
    code = "import reid, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    with pytest.raises(AttributeError, match="nobody"):
        _ = reid.nobody


def test_the_documents_example_runs(
    trained: tuple[Path, nn.Module, Card], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "deployment.md").read_text()
    code = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[0]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.ckpt").symlink_to(trained[0])
    (tmp_path / "pictures").symlink_to(folder)
    (tmp_path / "a.jpg").symlink_to(folder / "a.png")
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["features"].shape == (5, 512)
