"""AlignedReID++: published names, counts and branches; its trunk beside the arithmetic of a ResNet."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid.networks import AlignedReID
from reid.networks.resnet import Bottleneck, resnet50
from reid.weights import load_weights

Weights = dict[str, Tensor]
IMAGES = (2, 3, 64, 32)
NAMES = {"base.0": "conv1", "base.1": "bn1", **{f"base.{k + 3}": f"layer{k}" for k in (1, 2, 3, 4)}}


@pytest.fixture(scope="module")
def network() -> AlignedReID:
    torch.manual_seed(0)
    return AlignedReID(751)


@pytest.fixture
def images() -> Tensor:
    return torch.randn(IMAGES, generator=torch.Generator().manual_seed(1))


def test_published_counts(network: AlignedReID) -> None:
    counts = {name: sum(p.numel() for p in child.parameters()) for name, child in network.named_children()}
    assert counts == {"base": 23_508_032, "bn": 4_096, "conv1": 262_272, "classifier": 1_538_799}
    assert sum(counts.values()) == 25_313_199
    # 53 convolutions and as many norms of five; the local branch has seven more, the classifier two.
    assert len(network.state_dict()) == 53 * 6 + 7 + 2


def test_published_names_and_shapes(network: AlignedReID) -> None:
    expected = {
        "base.0.weight": (64, 3, 7, 7),
        "base.1.running_mean": (64,),
        "base.4.0.conv1.weight": (64, 64, 1, 1),
        "base.4.0.downsample.0.weight": (256, 64, 1, 1),
        "base.4.0.downsample.1.running_var": (256,),
        "base.5.3.conv2.weight": (128, 128, 3, 3),
        "base.6.5.bn3.bias": (1024,),
        "base.7.2.conv3.weight": (2048, 512, 1, 1),
        "bn.running_mean": (2048,),
        "conv1.weight": (128, 2048, 1, 1),
        "conv1.bias": (128,),
        "classifier.weight": (751, 2048),
        "classifier.bias": (751,),
    }
    weights = network.state_dict()
    assert {name: tuple(weights[name].shape) for name in expected} == expected
    assert "base.4.1.downsample.0.weight" not in weights


def test_maps_have_the_published_size(network: AlignedReID) -> None:
    with torch.no_grad():
        assert network.base.eval()(torch.zeros(1, 3, 256, 128)).shape == (1, 2048, 8, 4)


def test_the_trunk_begins_as_torchvisions(network: AlignedReID) -> None:
    for name, module in resnet50().named_modules():
        if isinstance(module, nn.Conv2d):
            std = math.sqrt(2 / (module.out_channels * math.prod(module.kernel_size)))
            count = module.weight.numel()
            assert abs(module.weight.mean().item()) < 5 * std / math.sqrt(count), name
            assert abs(module.weight.std().item() / std - 1) < 5 / math.sqrt(2 * count), name
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all(), name
            assert (module.bias == 0).all(), name


def convolved(weights: Weights, number: int, x: Tensor, *, stride: int = 1) -> Tensor:
    """Convolution and norm number 1, 2 or 3 of a block."""
    weight = weights[f"conv{number}.weight"]
    y = F.conv2d(x, weight, stride=stride, padding=weight.shape[2] // 2)
    return normalised(weights, f"bn{number}", y)


def normalised(weights: Weights, name: str, x: Tensor) -> Tensor:
    mean, var, scale, shift = (
        weights[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * scale + shift


@pytest.mark.parametrize(("channels", "width", "stride"), [(16, 4, 1), (8, 4, 1), (16, 8, 2)])
def test_a_block_computes_what_its_figure_shows(channels: int, width: int, stride: int) -> None:
    torch.manual_seed(0)
    block = Bottleneck(channels, width, stride=stride).double().eval()
    for name, value in block.state_dict().items():
        if value.is_floating_point():
            value.uniform_(0.5, 2) if name.endswith("running_var") else value.normal_()
    weights = block.state_dict()
    x = torch.randn(2, channels, 9, 6, dtype=torch.float64)
    y = convolved(weights, 1, x).clamp(min=0)
    y = convolved(weights, 2, y, stride=stride).clamp(min=0)
    around = x
    if "downsample.0.weight" in weights:
        around = F.conv2d(x, weights["downsample.0.weight"], stride=stride)
        around = normalised(weights, "downsample.1", around)
    expected = (convolved(weights, 3, y) + around).clamp(min=0)
    torch.testing.assert_close(block(x), expected)
    assert ("downsample.0.weight" in weights) == (channels != 4 * width or stride > 1)


def test_training_takes_the_learnt_branch(network: AlignedReID, images: Tensor) -> None:
    network.train()
    maps: list[Tensor] = []
    handle = network.base.register_forward_hook(lambda _, __, out: maps.append(out.detach()))
    features = network(images)
    handle.remove()
    torch.testing.assert_close(features.embedding, maps[0].mean((2, 3)))
    assert features.pooled is features.embedding
    torch.testing.assert_close(features.logits, network.classifier(features.embedding))
    mean, var = maps[0].mean((0, 2, 3), keepdim=True), maps[0].var((0, 2, 3), correction=0, keepdim=True)
    rows = ((maps[0] - mean) / (var + 1e-5).sqrt()).clamp(min=0).max(3).values  # (B, 2048, 2)
    local = torch.einsum("oc,bcs->bos", network.conv1.weight[:, :, 0, 0], rows)
    local = local + network.conv1.bias[:, None]
    assert features.stripes is not None
    assert features.stripes.shape == (2, 128, 2)
    torch.testing.assert_close(
        features.stripes, local / local.square().sum(1, keepdim=True).sqrt(), rtol=1e-3, atol=1e-4
    )


def test_evaluation_takes_the_rows_of_the_raw_map(network: AlignedReID, images: Tensor) -> None:
    network.eval()
    with torch.no_grad():
        features, maps = network(images), network.base(images)
    assert features.logits is None
    torch.testing.assert_close(features.embedding, maps.mean((2, 3)))
    rows = maps.max(3).values
    assert features.stripes is not None
    assert features.stripes.shape == (2, 2048, 2)
    torch.testing.assert_close(features.stripes, rows / rows.square().sum(1, keepdim=True).sqrt())


def test_evaluation_takes_the_learnt_branch_on_request(network: AlignedReID, images: Tensor) -> None:
    network.eval()
    network.learnt_test_branch = True
    try:
        with torch.no_grad():
            stripes = network(images).stripes
    finally:
        network.learnt_test_branch = False
    assert stripes is not None
    assert stripes.shape == (2, 128, 2)
    torch.testing.assert_close(stripes.norm(dim=1), torch.ones(2, 2))


def test_stripes_are_of_unit_length_under_autocast(network: AlignedReID, images: Tensor) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        stripes = network.eval()(images).stripes
    assert stripes is not None
    assert stripes.dtype == torch.float32
    torch.testing.assert_close(stripes.norm(dim=1), torch.ones(2, 2))


def test_backward_reaches_every_parameter(network: AlignedReID, images: Tensor) -> None:
    features = network.train()(images)
    assert features.stripes is not None
    assert features.logits is not None
    (features.logits.sum() + (features.stripes * torch.randn(2, 128, 2)).sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    network.zero_grad()


def test_torchvisions_resnet50_becomes_the_trunk(network: AlignedReID, tmp_path: Path) -> None:
    theirs = {}
    for name, value in network.state_dict().items():
        ours = ".".join(name.split(".")[:2])
        if ours in NAMES:
            theirs[name.replace(ours, NAMES[ours], 1)] = value + 1
    theirs |= {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    torch.save(theirs, tmp_path / "resnet50.pth")
    target = AlignedReID(5, in_channels=4)
    local = target.conv1.weight.detach().clone()

    report = load_weights(target, tmp_path / "resnet50.pth")

    assert len(report.matched) == 318
    assert set(report.left) == {"fc.weight", "fc.bias"}
    heads = ("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "conv1.weight", "conv1.bias")
    assert set(report.missing) == {*heads, "classifier.weight", "classifier.bias"}
    loaded = target.state_dict()
    assert torch.equal(loaded["base.0.weight"][:, :3], theirs["conv1.weight"])
    assert torch.equal(loaded["base.7.2.bn3.running_var"], theirs["layer4.2.bn3.running_var"])
    assert torch.equal(loaded["conv1.weight"], local), "torchvision's conv1 is the stem, not the local branch"


def test_the_authors_checkpoint_loads_by_its_own_names(network: AlignedReID, tmp_path: Path) -> None:
    checkpoint = {"state_dict": network.state_dict(), "rank1": 0.91, "epoch": 300}
    torch.save(checkpoint, tmp_path / "best_model.pth.tar")
    report = load_weights(AlignedReID(702), tmp_path / "best_model.pth.tar")
    assert len(report.matched) == 318 + 7
    assert set(report.left) == {"classifier.weight", "classifier.bias"}
