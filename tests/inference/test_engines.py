"""Engines give the network's features, or are refused."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from deploy.exported import made
from torch import Tensor, nn

from reid.contracts import Features
from reid.deploy.card import Card
from reid.inference import engines
from reid.inference.batches import Memory, planes_of
from reid.inference.embedder import check_runtime
from reid.inference.engines import Engine, difference, engine_of
from reid.inference.torch_networks import compiled, folded

CPU = torch.device("cpu")
OPTIONS: dict[str, Any] = {"device": CPU, "precision": "auto", "batch_size": None}

Small = tuple[nn.Module, Card]


@pytest.fixture(scope="module")
def small() -> Small:
    return made("osnet_x0_25")


def off_by(engine: Engine, factor: float) -> Engine:
    """An engine whose first feature is wrong by this part of each picture's length."""

    def compute(image: Tensor) -> Features:
        said = engine.compute(image).embedding.clone()
        said[:, 0] += factor * said.norm(dim=1)
        return Features.of(said)

    return replace(engine, compute=compute)


def test_planes_are_the_cards() -> None:
    _, card = made("osnet_x0_25")
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3), dtype=np.uint8)
    images[0], images[1] = 0, 255
    wanted = card.prepare({"image": torch.from_numpy(images)})["image"]  # type: ignore[typeddict-item]
    found = planes_of(images, Memory(3, (9, 7)).planes, mean=card.mean, std=card.std)
    assert found.is_contiguous()
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["osnet_x0_25", "osnet_ibn", "osnet_ain", "aligned_reid", "multitask"])
def test_norms_are_folded_and_features_stay(name: str) -> None:
    network, card = made(name)
    image = torch.randn(2, *next(iter(card.inputs.values())))
    with torch.inference_mode():
        ours, wanted = folded(network)(image).embedding, network(image).embedding
    assert (ours - wanted).norm() < 1e-5 * wanted.norm()
    left, norms = (
        sum(isinstance(layer, nn.BatchNorm2d) for layer in each.modules())
        for each in (folded(network), network)
    )
    assert left < norms, "and the network itself is as it was"


def test_a_difference_is_measured(small: Small) -> None:
    network, card = small
    engine = engine_of(network, card, runtime="torch", **OPTIONS)
    assert difference(engine, network, card) < 1e-5
    assert difference(off_by(engine, 3e-3), network, card) == pytest.approx(3e-3, rel=0.01)
    assert difference(off_by(engine, float("nan")), network, card) == float("inf")


def test_an_onnx_model_that_differs_is_not_used(
    small: Small, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network, card = small
    sound = engines.by_onnxruntime
    monkeypatch.setattr(engines, "by_onnxruntime", lambda *given: off_by(sound(*given), 2e-4))
    with pytest.raises(ValueError, match=r"runtime=onnxruntime: .* differs from the network by 0\.0002"):
        engine_of(network, card, runtime="onnxruntime", **OPTIONS)
    with caplog.at_level(logging.WARNING):
        engine = engine_of(network, card, runtime="auto", **OPTIONS)
    assert engine.name.startswith("torch")
    assert "osnet_x0_25 is computed by torch, as ONNX Runtime" in caplog.text


def test_norms_that_are_not_computed_where_they_stand_stay(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, card = small
    wrong = made("osnet_x0_25")[0]
    nn.init.normal_(next(wrong.parameters()))
    monkeypatch.setattr(engines, "folded", lambda network: wrong)
    engine = engine_of(network, card, runtime="torch", **OPTIONS)
    assert difference(engine, network, card) < 1e-5


class Tiny(nn.Module):
    """Compiled in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=8)

    def forward(self, image: Tensor) -> Features:
        return Features.of(self.conv(image).relu().mean((2, 3)))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_compiled_networks(kind: torch.dtype, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = Tiny().eval()
    compute = compiled(network, small[1], kind=kind, batch_size=2)
    image = torch.randn(5, 3, 64, 32)  # two batches, and one that is filled up
    with torch.no_grad():
        wanted = network(image).embedding
    close = {"rtol": 1e-4, "atol": 1e-6} if kind == torch.float32 else {"rtol": 2e-2, "atol": 1e-2}
    torch.testing.assert_close(compute(image).embedding.float(), wanted, **close)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ValueError, match=r"needs a C\+\+ compiler \(g\+\+ or clang\+\+, or CXX\)"):
        compiled(network, small[1], kind=kind, batch_size=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"runtime": "onnxruntime", "precision": "bf16"}, "computes in float32"),
        ({"runtime": "compiled", "path": "x.onnx"}, "x.onnx is an exported file and has its own"),
        ({"runtime": "compiled", "device": "cuda"}, "is for the CPU: use torch on cuda"),
    ],
)
def test_runtimes_that_cannot_be_had(options: dict[str, str], words: str) -> None:

    given = {"path": "best.ckpt", "device": "cpu", "precision": "auto", **options}
    with pytest.raises(ValueError, match=words):
        check_runtime(
            given["runtime"],
            Path(given["path"]),
            device=torch.device(given["device"]),
            precision=given["precision"],
        )
