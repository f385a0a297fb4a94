"""A small network and its ONNX file, for tests that only read them."""

from pathlib import Path

import pytest
from deploy.exported import made
from torch import nn

from reid.deploy.card import Card
from reid.deploy.files import write_onnx


@pytest.fixture(scope="session")
def small() -> tuple[nn.Module, Card]:
    return made("osnet_x0_25")


@pytest.fixture(scope="session")
def small_onnx(small: tuple[nn.Module, Card], tmp_path_factory: pytest.TempPathFactory) -> Path:
    network, card = small
    path = tmp_path_factory.mktemp("onnx") / "small.onnx"
    return write_onnx(network, card, path, opset=17, simplify=True).path
