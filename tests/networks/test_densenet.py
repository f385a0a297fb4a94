"""DenseNet-121's features: published names and counts, and every map beside plain arithmetic."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid.networks.densenet import DenseLayer, densenet121, renamed, transition

Weights = dict[str, Tensor]


@pytest.fixture(scope="module")
def trunk() -> nn.Sequential:
    torch.manual_seed(0)
    return densenet121()


def moved(module: nn.Module) -> nn.Module:
    """In double precision and evaluation mode, with norms that have seen something."""
    torch.manual_seed(0)
    for name, value in module.double().eval().state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif "norm" in name and value.is_floating_point():
            value.normal_().mul_(0.3).add_(name.endswith("weight"))
    return module


def normalised(weights: Weights, name: str, x: Tensor) -> Tensor:
    mean, var, scale, shift = (
        weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift


def mixed(weights: Weights, name: str, x: Tensor) -> Tensor:
    """A 1x1 convolution."""
    return torch.einsum("oc,bchw->bohw", weights[f"{name}.weight"][:, :, 0, 0], x)


def added(weights: Weights, name: str, x: Tensor) -> Tensor:
    """The 32 channels that a dense layer computes."""
    y = mixed(weights, f"{name}conv1", normalised(weights, f"{name}norm1", x).clamp(min=0))
    y = normalised(weights, f"{name}norm2", y).clamp(min=0)
    patches = F.unfold(y, 3, padding=1)  # (B, 128 * 9, H * W)
    y = weights[f"{name}conv2.weight"].flatten(1) @ patches
    return y.unflatten(2, x.shape[2:])


def halved(weights: Weights, name: str, x: Tensor) -> Tensor:
    y = mixed(weights, f"{name}conv", normalised(weights, f"{name}norm", x).clamp(min=0))
    return (y[..., ::2, ::2] + y[..., 1::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, 1::2]) / 4


def test_published_counts(trunk: nn.Sequential) -> None:
    assert sum(p.numel() for p in trunk.parameters()) == 6_953_856
    assert len(trunk.state_dict()) == 120 + 121 * 5  # convolutions; norms
    depths = [len(trunk.get_submodule(f"denseblock{number}")) for number in (1, 2, 3, 4)]
    assert depths == [6, 12, 24, 16]


def test_published_names_and_shapes(trunk: nn.Sequential) -> None:
    expected = {
        "conv0.weight": (64, 3, 7, 7),
        "norm0.running_mean": (64,),
        "denseblock1.denselayer1.norm1.weight": (64,),
        "denseblock1.denselayer6.conv1.weight": (128, 224, 1, 1),
        "denseblock2.denselayer12.conv2.weight": (32, 128, 3, 3),
        "denseblock3.denselayer24.norm1.running_var": (992,),
        "denseblock4.denselayer16.norm2.bias": (128,),
        "transition1.norm.weight": (256,),
        "transition1.conv.weight": (128, 256, 1, 1),
        "transition3.conv.weight": (512, 1024, 1, 1),
        "norm5.bias": (1024,),
    }
    weights = trunk.state_dict()
    assert {name: tuple(weights[name].shape) for name in expected} == expected


def test_a_layer_keeps_what_came_before_and_adds_beside_it() -> None:
    layer = moved(DenseLayer(12))
    x = torch.randn(2, 12, 5, 4, dtype=torch.float64)
    before = x.clone()
    torch.testing.assert_close(layer(x), torch.cat([x, added(layer.state_dict(), "", x)], 1))
    assert torch.equal(x, before)


def test_a_transition_halves_channels_and_size() -> None:
    module = moved(transition(10))
    x = torch.randn(2, 10, 6, 4, dtype=torch.float64)
    y = module(x)
    assert y.shape == (2, 5, 3, 2)
    torch.testing.assert_close(y, halved(module.state_dict(), "", x))


def test_the_whole_is_what_its_parts_make() -> None:
    network = moved(densenet121(in_channels=5))
    weights = network.state_dict()
    images = torch.randn(2, 5, 64, 32, dtype=torch.float64)
    x = F.conv2d(images, weights["conv0.weight"], stride=2, padding=3)
    x = F.max_pool2d(normalised(weights, "norm0", x).clamp(min=0), 3, stride=2, padding=1)
    for block, depth in enumerate((6, 12, 24, 16), start=1):
        maps = [x]
        for number in range(1, depth + 1):
            maps.append(added(weights, f"denseblock{block}.denselayer{number}.", torch.cat(maps, 1)))
        x = torch.cat(maps, 1)
        if block < 4:
            x = halved(weights, f"transition{block}.", x)
    expected = normalised(weights, "norm5", x)
    assert (expected < 0).any(), "the last norm has no ReLU"
    with torch.no_grad():
        torch.testing.assert_close(network(images), expected)


def test_maps_have_the_published_size(trunk: nn.Sequential) -> None:
    with torch.no_grad():
        assert trunk.eval()(torch.zeros(1, 3, 256, 256)).shape == (1, 1024, 8, 8)


def test_weights_begin_as_torchvisions(trunk: nn.Sequential) -> None:
    for name, module in trunk.named_modules():
        if isinstance(module, nn.Conv2d):
            std = math.sqrt(2 / (module.in_channels * math.prod(module.kernel_size)))
            count = module.weight.numel()
            assert abs(module.weight.mean().item()) < 5 * std / math.sqrt(count), name
            assert abs(module.weight.std().item() / std - 1) < 5 / math.sqrt(2 * count), name
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all(), name
            assert (module.bias == 0).all(), name


def test_memory_layout_changes_nothing(trunk: nn.Sequential) -> None:
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        expected = trunk.eval()(images)
        other = densenet121().eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        other.load_state_dict(trunk.state_dict())
        maps = other(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(maps, expected, rtol=1e-3, atol=1e-4)
    assert maps.is_contiguous(memory_format=torch.channels_last), "concatenation keeps NHWC"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("features.conv0.weight", "base.conv0.weight"),
        ("features.denseblock1.denselayer2.norm.1.weight", "base.denseblock1.denselayer2.norm1.weight"),
        ("features.denseblock3.denselayer24.conv.2.weight", "base.denseblock3.denselayer24.conv2.weight"),
        (
            "features.denseblock1.denselayer2.norm2.running_var",
            "base.denseblock1.denselayer2.norm2.running_var",
        ),
        ("features.transition2.norm.weight", "base.transition2.norm.weight"),
        ("features.norm5.bias", "base.norm5.bias"),
        ("classifier.weight", "classifier.weight"),
        ("base.denseblock1.denselayer2.norm1.weight", "base.denseblock1.denselayer2.norm1.weight"),
    ],
)
def test_old_and_new_names_become_ours(theirs: str, ours: str) -> None:
    weight = torch.zeros(1)
    assert dict(renamed({theirs: weight}, prefix="base.")) == {ours: weight}
