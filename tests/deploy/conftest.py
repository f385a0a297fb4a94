"""A small network and its ONNX file, for tests that only read them."""

from pathlib import Path

import pytest
from deploy.exported import made
from torch import nn

from reid.deploy.card import Card
from reid.deploy.files import write_onnx, write_torchscript


@pytest.fixture(scope="session")
def small() -> tuple[nn.Module, Card]:
    return made("osnet_x0_25")


@pytest.fixture(scope="session")
def small_onnx(small: tuple[nn.Module, Card], tmp_path_factory: pytest.TempPathFactory) -> Path:
    network, card = small
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    return write_onnx(network, card, path, opset=17, simplify=True).path


@pytest.fixture(scope="session")
def small_torchscript(small: tuple[nn.Module, Card], tmp_path_factory: pytest.TempPathFactory) -> Path:
    network, card = small
    return write_torchscript(network, card, tmp_path_factory.mktemp("torchscript") / "small.pt").path
