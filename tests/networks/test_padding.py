"""Padding as MindSpore has it, beside a numpy that pads nothing and counts what lies inside the map."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from deploy.exported import varied
from oracles_mindspore import conv_same, max_same, resnet50
from torch import Tensor, nn
from weights.mindspore_miniature import aligned_names, checkpoint, multitask_names

from reid.networks import AlignedReID, MultiTaskNet
from reid.networks.padding import SameConv2d, SameMaxPool2d
from reid.weights import advice, load_weights

SIZES = [(1, 1), (2, 7), (8, 8), (9, 6), (5, 12)]


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (3, 1), (1, 2), (3, 3), (2, 4)])
def test_windows_lie_where_mindspores_do(size: tuple[int, int], kernel: int, stride: int) -> None:
    x = drawn(2, 3, *size)
    layer = SameConv2d(3, 4, kernel, stride=stride, bias=False).double()
    expected = conv_same(x.numpy(), layer.weight.detach().numpy(), stride=stride)
    torch.testing.assert_close(layer(x).detach(), torch.from_numpy(expected))
    pooled = SameMaxPool2d(kernel, stride=stride)(x - 10)  # negative: a border of zeros would win
    assert torch.equal(pooled, torch.from_numpy(max_same(x.numpy() - 10, kernel=kernel, stride=stride)))


def test_even_maps_are_padded_on_one_side_alone() -> None:
    """Said once in numbers: of 4 pixels in windows of 3 the last lacks one, as PyTorch pads the first."""
    row = torch.tensor([[[[5.0, 1.0, 2.0, 3.0]]]])
    assert SameMaxPool2d(3, stride=2)(row).flatten().tolist() == [5.0, 3.0]
    layer = SameConv2d(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(layer.weight)
    assert layer(row).flatten().tolist() == [8.0, 5.0]
    assert nn.functional.conv2d(row, layer.weight, stride=2, padding=1).flatten().tolist() == [6.0, 6.0]


def test_a_mindspore_file_gives_its_own_networks_features(tmp_path: Path) -> None:
    """The names of the seed's file into the seed's arithmetic, and the file into ours."""
    source = varied(AlignedReID(3))
    weights = aligned_names(source)
    (tmp_path / "resnet50-300_23.ckpt").write_bytes(checkpoint(weights))
    network = AlignedReID(3, padding="same", epsilon=1e-4)
    load_weights(network, tmp_path / "resnet50-300_23.ckpt")
    images = drawn(1, 3, 64, 38)
    maps = resnet50(
        images.numpy(),
        {
            name.removeprefix("_backbone.base."): w.double().numpy()
            for name, w in weights.items()
            if name.startswith("_backbone.base.")
        },
    )
    with torch.no_grad():
        features = network.double().eval()(images)
        apart = source.double()(images).embedding
    expected = torch.from_numpy(maps.mean((2, 3)))
    torch.testing.assert_close(features.embedding, expected)
    rows = maps.max(3)
    rows /= np.sqrt(np.maximum((rows**2).sum(1, keepdims=True), 1e-12))
    torch.testing.assert_close(features.stripes, torch.from_numpy(rows), check_dtype=False)
    assert (apart - expected).abs().max() > 0.01 * expected.abs().max(), "the switches make a difference"


def test_switches_reach_the_layers_that_differ_in_mindspore() -> None:
    network = AlignedReID(3, padding="same", epsilon=1e-4)
    halving = {name for name, m in network.base.named_modules() if isinstance(m, SameConv2d | SameMaxPool2d)}
    assert halving == {"0", "3", "5.0.conv2", "6.0.conv2", "7.0.conv2"}
    norms = {name: m.eps for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert {name for name, eps in norms.items() if eps != 1e-4} == {"bn"}, "the local branch has its own"
    multitask = MultiTaskNet(3, attributes={}, pool_padding="same")
    same = [name for name, m in multitask.named_modules() if isinstance(m, SameConv2d | SameMaxPool2d)]
    assert same == ["base.pool0"]
    for made in (
        lambda: AlignedReID(3, padding="valid"),
        lambda: MultiTaskNet(3, attributes={}, pool_padding=""),
    ):
        with pytest.raises(ValueError, match=r"padding='.*': use torch or same"):
            made()


def test_weights_are_named_alike() -> None:
    with torch.device("meta"):
        assert AlignedReID(3, padding="same").state_dict().keys() == AlignedReID(3).state_dict().keys()


def test_sizes_are_traced_as_numbers() -> None:
    """Files are for one size of images, and any number of them."""
    layers = nn.Sequential(SameConv2d(3, 4, 7, stride=2), SameMaxPool2d(3, stride=2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(layers, torch.zeros(2, 3, 16, 9))  # type: ignore[no-untyped-call]
    images = drawn(5, 3, 16, 9).float()
    assert torch.equal(traced(images), layers(images))


def test_a_mindspore_file_says_which_switches_are_not_set(tmp_path: Path) -> None:
    path, other = tmp_path / "resnet50-300_23.ckpt", tmp_path / "best_model.pth.tar"
    with torch.device("meta"):
        plain, wanted = AlignedReID(3), AlignedReID(3, padding="same", epsilon=1e-4)
        half, vehicles = AlignedReID(3, padding="same"), MultiTaskNet(3, attributes={"color": 2})
    path.write_bytes(checkpoint({"bn.gamma": torch.ones(1)}))
    torch.save({"bn.weight": torch.ones(1)}, other)
    line = advice(plain, path)
    assert line is not None
    assert "resnet50-300_23.ckpt is MindSpore's" in line
    assert "set model.network.padding=same model.network.epsilon=0.0001" in line
    assert "set model.network.epsilon=0.0001 for" in str(advice(half, path))
    assert "set model.network.pool_padding=same for" in str(advice(vehicles, path))
    assert advice(wanted, path) is None
    assert advice(plain, other) is None
    assert advice(nn.Linear(1, 1), path) is None


def test_mindspores_safetensors_are_known_by_their_names(tmp_path: Path) -> None:
    torch_form = pytest.importorskip("safetensors.torch")
    network = AlignedReID(3)
    for name, key in (("ms", "bn.moving_variance"), ("pt", "bn.running_var")):
        torch_form.save_file({key: torch.ones(1)}, tmp_path / f"{name}.safetensors")
    assert advice(network, tmp_path / "ms.safetensors")
    assert advice(network, tmp_path / "pt.safetensors") is None


def test_the_pooling_of_multitask_nets_is_mindspores(tmp_path: Path) -> None:
    source = varied(MultiTaskNet(3, attributes={"color": 2}))
    (tmp_path / "MultipleNet-10_142.ckpt").write_bytes(checkpoint(multitask_names(source)))
    network = MultiTaskNet(3, attributes={"color": 2}, pool_padding="same").eval()
    load_weights(network, tmp_path / "MultipleNet-10_142.ckpt")
    images = drawn(2, 3, 64, 64).float()
    maps: list[Tensor] = []
    network.base.pool0.register_forward_hook(lambda _, given, out: maps.extend([given[0], out]))
    with torch.no_grad():
        ours, theirs = network(images).embedding, source(images).embedding
    assert torch.equal(maps[1], torch.from_numpy(max_same(maps[0].numpy(), kernel=3, stride=2)).float())
    assert not torch.allclose(ours, theirs, rtol=1e-3)
