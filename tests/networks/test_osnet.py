"""OSNet's published names, counts, initial values and shapes; its blocks beside the recipe's arithmetic."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from oracles_osnet import ain_block, plain_block
from torch import Tensor, nn

from reid.networks.osnet import AINBlock, OSBlock, OSNet, OSNetAIN

WIDTHS = {
    "x1_0": (64, 256, 384, 512),
    "x0_75": (48, 192, 288, 384),
    "x0_5": (32, 128, 192, 256),
    "x0_25": (16, 64, 96, 128),
}
WITHOUT_CLASSIFIER = {"x1_0": 2_169_508, "x0_75": 1_285_754, "x0_5": 630_034, "x0_25": 201_864}
WITH_751 = {"x1_0": 2_554_771, "x0_75": 1_671_017, "x0_5": 1_015_297, "x0_25": 587_127}


def build(variant: str, *, identities: int = 751, in_channels: int = 3) -> OSNet | OSNetAIN:
    kind, width = variant.split("_", 1)
    channels = WIDTHS[width]
    if kind == "ain":
        return OSNetAIN(identities, channels=channels, in_channels=in_channels)
    return OSNet(identities, channels=channels, in_channels=in_channels, instance_norm=kind == "ibn")


PUBLISHED = [f"{kind}_{width}" for kind in ("osnet", "ain") for width in WIDTHS] + ["ibn_x1_0"]
SMALL = ["osnet_x0_25", "ibn_x0_25", "ain_x0_25"]


@pytest.mark.parametrize("variant", PUBLISHED)
def test_published_counts(variant: str) -> None:
    kind, width = variant.split("_", 1)
    extra = 2 * 2 * 256 if kind == "ibn" else 0  # two instance norms of 256
    network = build(variant)
    parameters = {name: p.numel() for name, p in network.named_parameters()}
    assert sum(parameters.values()) == WITH_751[width] + extra
    trunk = sum(n for name, n in parameters.items() if not name.startswith("classifier."))
    assert trunk == WITHOUT_CLASSIFIER[width] + extra
    names = network.state_dict().keys()
    # 80 batch norms when plain; ibn has 79 and two more affine pairs, less two running statistics: 489 + 79.
    entries, counters = {"osnet": (567, 80), "ibn": (568, 79), "ain": (552, 75)}[kind]
    assert len(names) == entries
    assert sum(name.endswith("num_batches_tracked") for name in names) == counters


COMMON_SHAPES = {
    "conv1.conv.weight": (64, 3, 7, 7),
    "conv1.bn.weight": (64,),
    "conv1.bn.bias": (64,),
    "conv2.0.conv1.conv.weight": (64, 64, 1, 1),
    "conv2.0.conv1.bn.running_var": (64,),
    "conv2.0.gate.fc1.weight": (4, 64, 1, 1),
    "conv2.0.gate.fc1.bias": (4,),
    "conv2.0.gate.fc2.weight": (64, 4, 1, 1),
    "conv2.0.gate.fc2.bias": (64,),
    "conv3.0.gate.fc1.weight": (6, 96, 1, 1),
    "conv4.1.gate.fc1.weight": (8, 128, 1, 1),
    "conv2.0.conv3.conv.weight": (256, 64, 1, 1),
    "conv2.0.downsample.conv.weight": (256, 64, 1, 1),
    "conv2.0.downsample.bn.num_batches_tracked": (),
    "conv4.0.downsample.conv.weight": (512, 384, 1, 1),
    "conv5.conv.weight": (512, 512, 1, 1),
    "conv5.bn.running_mean": (512,),
    "fc.0.weight": (512, 512),
    "fc.0.bias": (512,),
    "fc.1.running_mean": (512,),
    "classifier.weight": (751, 512),
    "classifier.bias": (751,),
}
PLAIN_SHAPES = {
    "conv1.bn.running_mean": (64,),
    "conv2.0.conv2a.conv1.weight": (64, 64, 1, 1),
    "conv2.0.conv2a.conv2.weight": (64, 1, 3, 3),
    "conv2.0.conv2a.bn.weight": (64,),
    "conv2.0.conv2b.1.conv1.weight": (64, 64, 1, 1),
    "conv2.0.conv2c.2.conv2.weight": (64, 1, 3, 3),
    "conv2.0.conv2d.3.bn.num_batches_tracked": (),
    "conv2.0.conv3.bn.weight": (256,),
    "conv2.2.0.conv.weight": (256, 256, 1, 1),
    "conv2.2.0.bn.running_mean": (256,),
    "conv3.2.0.conv.weight": (384, 384, 1, 1),
}
IBN_SHAPES = {
    **{name: shape for name, shape in PLAIN_SHAPES.items() if not name.startswith("conv1.bn")},
    "conv2.0.IN.weight": (256,),
    "conv2.1.IN.bias": (256,),
}
AIN_SHAPES = {
    "conv2.0.conv2.0.layers.0.conv1.weight": (64, 64, 1, 1),
    "conv2.0.conv2.3.layers.3.conv2.weight": (64, 1, 3, 3),
    "conv2.0.conv2.2.layers.1.bn.running_mean": (64,),
    "conv2.0.IN.weight": (256,),
    "conv3.0.conv3.bn.weight": (384,),
    "conv3.1.IN.bias": (384,),
    "conv4.0.IN.weight": (512,),
    "conv4.1.conv3.bn.running_mean": (512,),
    "pool2.0.conv.weight": (256, 256, 1, 1),
    "pool3.0.bn.running_var": (384,),
}


@pytest.mark.parametrize(
    ("variant", "shapes"),
    [("osnet_x1_0", PLAIN_SHAPES), ("ibn_x1_0", IBN_SHAPES), ("ain_x1_0", AIN_SHAPES)],
)
def test_published_names_and_shapes(variant: str, shapes: dict[str, tuple[int, ...]]) -> None:
    weights = build(variant).state_dict()
    expected = COMMON_SHAPES | shapes
    assert {name: tuple(weights[name].shape) for name in expected if name in weights} == expected
    assert "conv2.1.downsample.conv.weight" not in weights


@pytest.mark.parametrize(
    ("width", "hidden"), [("x0_75", (3, 4, 6)), ("x0_5", (2, 3, 4)), ("x0_25", (1, 1, 2))]
)
def test_gate_width(width: str, hidden: tuple[int, int, int]) -> None:
    weights = build(f"osnet_{width}").state_dict()
    assert tuple(weights[f"conv{stage}.0.gate.fc1.bias"].numel() for stage in (2, 3, 4)) == hidden


@pytest.mark.parametrize(
    ("variant", "places"),
    [
        ("osnet_x0_25", set()),
        ("ibn_x0_25", {"conv1.bn", "conv2.0.IN", "conv2.1.IN"}),
        ("ain_x0_25", {"conv1.bn", "conv2.0.IN", "conv2.1.IN", "conv3.1.IN", "conv4.0.IN"}),
    ],
)
def test_instance_norms_stand_where_published(variant: str, places: set[str]) -> None:
    norms = {n: m for n, m in build(variant).named_modules() if isinstance(m, nn.InstanceNorm2d)}
    assert set(norms) == places
    assert all(norm.affine and not norm.track_running_stats for norm in norms.values())


@pytest.mark.parametrize("variant", SMALL)
def test_initial_values(variant: str) -> None:
    torch.manual_seed(0)
    for name, module in build(variant).named_modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight.shape[0] * math.prod(module.kernel_size)
            check_normal(module.weight, std=math.sqrt(2 / fan_out), name=name)
        elif isinstance(module, nn.Linear):
            check_normal(module.weight, std=0.01, name=name)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm2d):
            assert (module.weight == 1).all(), name
        else:
            continue
        assert module.bias is None or (module.bias == 0).all(), name


def check_normal(weight: Tensor, *, std: float, name: str) -> None:
    """Mean and deviation within five standard errors."""
    count = weight.numel()
    assert abs(weight.mean().item()) < 5 * std / math.sqrt(count), name
    assert abs(weight.square().mean().sqrt().item() / std - 1) < 5 / math.sqrt(2 * count), name


def test_maps_have_the_published_sizes() -> None:
    sizes: dict[str, tuple[int, ...]] = {}
    network = build("osnet_x1_0").eval()
    for name, module in network.named_children():
        if name != "classifier":
            module.register_forward_hook(
                lambda _, __, out, name=name: sizes.update({name: tuple(out.shape[1:])})
            )
    with torch.no_grad():
        network(torch.zeros(1, 3, 256, 128))
    assert sizes == {
        "conv1": (64, 128, 64),
        "maxpool": (64, 64, 32),
        "conv2": (256, 32, 16),
        "conv3": (384, 16, 8),
        "conv4": (512, 16, 8),
        "conv5": (512, 16, 8),
        "fc": (512,),
    }


@pytest.mark.parametrize("variant", SMALL)
@pytest.mark.parametrize(("height", "width", "planes"), [(256, 128, 3), (75, 50, 3), (64, 64, 52)])
def test_features(variant: str, height: int, width: int, planes: int) -> None:
    network = build(variant, identities=7, in_channels=planes)
    images = torch.randn(2, planes, height, width)

    trained = network.train()(images)
    assert trained.logits is not None
    assert trained.logits.shape == (2, 7)
    torch.testing.assert_close(trained.logits, network.classifier(trained.embedding))

    with torch.no_grad():
        evaluated = network.eval()(images)
    assert evaluated.logits is None
    for features in (trained, evaluated):
        assert features.embedding.shape == (2, 512)
        assert (features.embedding >= 0).all()
        assert features.pooled is features.embedding
        assert features.stripes is None
        assert features.attributes == {}


def test_logits_stay_while_everything_but_the_classifier_is_frozen() -> None:
    network = build("osnet_x0_25").eval()
    network.classifier.train()
    assert network(torch.zeros(1, 3, 32, 32)).logits is not None


@pytest.mark.parametrize("variant", SMALL)
def test_backward_reaches_every_parameter(variant: str) -> None:
    torch.manual_seed(0)
    network = build(variant, identities=5).train()
    logits = network(torch.randn(4, 3, 64, 32)).logits
    assert logits is not None
    F.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("variant", SMALL)
def test_channels_last_changes_nothing(variant: str) -> None:
    torch.manual_seed(0)
    network = build(variant).eval()
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        plain = network(images).embedding
        last = network.to(memory_format=torch.channels_last)(
            images.contiguous(memory_format=torch.channels_last)
        ).embedding
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block", [OSBlock, AINBlock])
@pytest.mark.parametrize("widths", [(16, 64), (64, 64)])
@pytest.mark.parametrize("instance_norm", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_block_computes_what_the_recipe_says(
    block: Callable[..., nn.Module], widths: tuple[int, int], instance_norm: bool, training: bool
) -> None:
    torch.manual_seed(0)
    module = block(*widths, instance_norm=instance_norm).double()
    scramble(module)
    weights = {n: w.clone() for n, w in module.state_dict().items()}  # the forward pass moves statistics
    x = torch.randn(3, widths[0], 9, 7, dtype=torch.float64)
    out = module.train(training)(x)
    expected = (plain_block if block is OSBlock else ain_block)(weights, x, training=training)
    torch.testing.assert_close(out, expected)


def scramble(module: nn.Module) -> None:
    """Gives norms values that would betray a forgotten one."""
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.normal_()
