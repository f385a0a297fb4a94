"""MultiTaskNet: published counts, names and weight files; every switch; what the heads see."""

import io
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid.contracts import Features
from reid.networks import MultiTaskNet
from reid.weights import load_weights

VERI = {"color": 10, "type": 9}
SWITCHES = ("heatmap", "segment", "keypoints", "multitask")
COMBINATIONS = [
    dict(zip(SWITCHES, on, strict=True)) for on in itertools.product((False, True), repeat=len(SWITCHES))
]
# What published programs count, part by part.
TRUNK = 6_953_856 - 9_408  # but for its first convolution
STEM = {3: 9_408, 16: 50_176, 39: 122_304, 52: 163_072}
HEADS = ["fc_vid", "fc_vcolor", "fc_vtype", "classifier_vid", "classifier_vcolor", "classifier_vtype"]


def named(switches: Mapping[str, bool]) -> str:
    return "+".join(name for name, on in switches.items() if on) or "none"


def built(num_identities: int = 5, *, attributes: Mapping[str, int] = VERI, **switches: bool) -> MultiTaskNet:
    torch.manual_seed(0)
    return MultiTaskNet(num_identities, attributes=attributes, **switches)


def inputs(network: MultiTaskNet, *, size: int = 4, side: int = 32) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(size, network.in_channels, side, side, generator=generator)
    return (images, torch.rand(size, 36, 3, generator=generator) - 0.5)[: 1 + network.keypoints]


def layers(network: nn.Module) -> set[str]:
    return {name for name, _ in network.named_children()} - {"base"}


@pytest.mark.parametrize("keypoints", [False, True])
@pytest.mark.parametrize("channels", [3, 16, 39, 52])
def test_published_counts(channels: int, keypoints: bool) -> None:
    guides = {"heatmap": channels in (39, 52), "segment": channels in (16, 52)}
    network = built(575, keypoints=keypoints, **guides)
    assert network.in_channels == channels
    fc_vid, fc_attribute = (1_160_192, 580_096) if keypoints else (1_049_600, 524_800)
    classifiers = (1024 + 1) * 575 + (512 + 1) * (10 + 9)
    total = TRUNK + STEM[channels] + fc_vid + 2 * fc_attribute + classifiers
    assert sum(p.numel() for p in network.parameters()) == total
    if (channels, keypoints) == (3, False):
        assert total == 9_652_178
    # 120 convolutions, 121 norms of five, six layers of two.
    assert len(network.state_dict()) == 120 + 121 * 5 + 6 * 2


def test_published_names_and_shapes() -> None:
    expected = {
        "base.conv0.weight": (64, 3, 7, 7),
        "base.denseblock4.denselayer16.conv2.weight": (32, 128, 3, 3),
        "base.transition1.conv.weight": (128, 256, 1, 1),
        "base.norm5.running_var": (1024,),
        "fc_vid.weight": (1024, 1132),
        "fc_vcolor.weight": (512, 1132),
        "fc_vtype.bias": (512,),
        "classifier_vid.weight": (575, 1024),
        "classifier_vcolor.weight": (10, 512),
        "classifier_vtype.bias": (9,),
    }
    weights = built(575, keypoints=True).state_dict()
    assert {name: tuple(weights[name].shape) for name in expected} == expected


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"keypoints": True, "multitask": True}, set(HEADS)),
        ({"keypoints": False, "multitask": True}, set(HEADS)),
        ({"keypoints": True, "multitask": False}, {"fc", "classifier_vid"}),
        ({"keypoints": False, "multitask": False}, {"classifier_vid"}),
        ({"attributes": {}, "keypoints": True}, {"fc", "classifier_vid"}),
        ({"attributes": {}, "keypoints": False}, {"classifier_vid"}),
        ({"attributes": {"brand": 3}}, {"fc_vid", "fc_vbrand", "classifier_vid", "classifier_vbrand"}),
    ],
)
def test_switches_decide_which_layers_there_are(switches: Any, expected: set[str]) -> None:
    assert layers(built(**switches)) == expected


@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("switches", COMBINATIONS, ids=named)
def test_every_parameter_is_taught(switches: dict[str, bool], mode: bool) -> None:
    network = built(**switches).train(mode)
    if not mode:
        assert network(*inputs(network)).logits is None
        network.classifier_vid.train()  # a frozen start: all but the classifier in evaluation mode
    features: Features = network(*inputs(network))
    assert features.embedding.shape == (4, 1024)
    assert features.pooled is features.embedding
    assert features.logits is not None
    assert features.logits.shape == (4, 5)
    scores = {name: tuple(each.shape) for name, each in features.attributes.items()}
    assert scores == ({"color": (4, 10), "type": (4, 9)} if switches["multitask"] else {})
    outputs = [features.embedding, features.logits, *features.attributes.values()]
    torch.stack([(each * torch.randn_like(each)).sum() for each in outputs]).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def leaky(x: Tensor) -> Tensor:
    return torch.where(x < 0, 0.01 * x, x)


def applied(network: nn.Module, name: str, x: Tensor) -> Tensor:
    weights = network.state_dict()
    return torch.einsum("bi,oi->bo", x, weights[f"{name}.weight"]) + weights[f"{name}.bias"]


@pytest.mark.parametrize("keypoints", [False, True])
def test_every_head_sees_the_same_pooled_map_and_keypoints(keypoints: bool) -> None:
    network = built(keypoints=keypoints).eval()
    given = inputs(network, side=64)
    with torch.no_grad():
        features, maps = network(*given), network.base(given[0])
    seen = [maps.mean((2, 3))]
    if keypoints:
        points = given[1]
        seen += [points[:, k, part, None] for k in range(36) for part in range(3)]  # x0, y0, c0, x1, ...
    vector = torch.cat(seen, 1)
    assert vector.shape[1] == (1132 if keypoints else 1024)
    before = applied(network, "fc_vid", vector)
    torch.testing.assert_close(features.embedding, leaky(before), rtol=1e-4, atol=1e-5)
    negative = before < -0.1
    assert negative.any()
    ratio = features.embedding[negative] / before[negative]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 0.01), rtol=1e-3, atol=1e-5)
    for name in VERI:
        scores = applied(network, f"classifier_v{name}", leaky(applied(network, f"fc_v{name}", vector)))
        torch.testing.assert_close(features.attributes[name], scores, rtol=1e-4, atol=1e-5)
    network.classifier_vid.train()
    with torch.no_grad():
        logits = network(*given).logits
    torch.testing.assert_close(
        logits, applied(network, "classifier_vid", features.embedding), rtol=1e-4, atol=1e-5
    )


def test_keypoints_alone_go_through_one_layer() -> None:
    network = built(keypoints=True, multitask=False).eval()
    images, keypoints = inputs(network)
    with torch.no_grad():
        vector = torch.cat([network.base(images).mean((2, 3)), keypoints.reshape(4, 108)], 1)
        embedding = network(images, keypoints).embedding
    torch.testing.assert_close(embedding, leaky(applied(network, "fc", vector)), rtol=1e-4, atol=1e-5)


def test_without_switches_the_embedding_is_the_pooled_map() -> None:
    network = built(multitask=False).eval()
    (images,) = inputs(network, side=64)
    with torch.no_grad():
        embedding = network(images).embedding
        torch.testing.assert_close(embedding, network.base(images).mean((2, 3)))
        assert torch.equal(network(images, torch.zeros(4, 36, 3)).embedding, embedding)
    assert (embedding < 0).any()


@pytest.mark.parametrize(("height", "width"), [(64, 32), (32, 96), (75, 50)])
def test_any_size_of_image_will_do(height: int, width: int) -> None:
    network = built().eval()
    with torch.no_grad():
        assert network(torch.randn(1, 3, height, width)).embedding.shape == (1, 1024)


def test_missing_keypoints_are_asked_for() -> None:
    network = built(keypoints=True)
    with pytest.raises(ValueError, match=r"keypoints=None.*data\.keypoints=true"):
        network(torch.zeros(2, 3, 32, 32))


@pytest.mark.parametrize("attributes", [{"id": 3}, {"car.color": 3}, {"": 3}, {"color": 0}])
def test_attributes_that_make_no_layer_are_refused(attributes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"network\.attributes=\{.*other than id, and 1 or more values"):
        built(attributes=attributes)


@pytest.mark.parametrize("guides", [{"heatmap": True}, {"segment": True}, {"heatmap": True, "segment": True}])
def test_a_stem_with_guides_begins_at_a_fiftieth(guides: dict[str, bool]) -> None:
    weight = built(**guides).base.get_parameter("conv0.weight")
    count = weight.numel()
    assert count == STEM[weight.shape[1]]
    assert abs(weight.mean().item()) < 5 * 0.02 / math.sqrt(count)
    assert abs(weight.std().item() / 0.02 - 1) < 5 / math.sqrt(2 * count)


def test_a_stem_without_guides_begins_as_torchvisions() -> None:
    weight = built().base.get_parameter("conv0.weight")
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (3 * 49)), rel=5 / math.sqrt(2 * 9_408))


def torchvisions(weights: Mapping[str, Tensor], *, old: bool) -> dict[str, Tensor]:
    """A trunk's weights as torchvision's file names them, which in old ones has no counters of steps."""
    theirs = {}
    for name, weight in weights.items():
        *path, layer, part = name.split(".")
        if old and part == "num_batches_tracked":
            continue
        if old and len(path) == 2:  # denseblockN.denselayerM
            layer = f"{layer[:-1]}.{layer[-1]}"
        theirs[".".join(["features", *path, layer, part])] = weight
    return theirs | {"classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}


@pytest.mark.parametrize("old", [True, False], ids=["old names", "new names"])
@pytest.mark.parametrize("heatmap", [False, True])
def test_torchvisions_densenet121_becomes_the_trunk(old: bool, heatmap: bool, tmp_path: Path) -> None:
    source = {name: value + 1 for name, value in built().base.state_dict().items()}
    theirs = torchvisions(source, old=old)
    assert len(theirs) == (606 if old else 606 + 121)
    assert ("features.denseblock2.denselayer7.norm.1.weight" in theirs) == old
    torch.save(theirs, tmp_path / "densenet121-a639ec97.pth")
    target = built(heatmap=heatmap)
    before = target.base.get_parameter("conv0.weight").detach().clone()

    report = load_weights(target, tmp_path / "densenet121-a639ec97.pth")

    assert len(report.matched) == len(theirs) - 2
    assert set(report.left) == {"classifier.weight", "classifier.bias"}
    assert set(report.missing) == {f"{layer}.{part}" for layer in HEADS for part in ("weight", "bias")}
    loaded = target.base.state_dict()
    for name, value in source.items():
        if name != "conv0.weight" and not (old and name.endswith("num_batches_tracked")):
            assert torch.equal(loaded[name], value), name
    assert torch.equal(loaded["conv0.weight"][:, :3], source["conv0.weight"])
    assert torch.equal(loaded["conv0.weight"][:, 3:], before[:, 3:])


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_authors_checkpoint_loads_by_its_own_names(prefix: str, tmp_path: Path) -> None:
    source = built(575)
    checkpoint = {
        "state_dict": {f"{prefix}{name}": weight for name, weight in source.state_dict().items()},
        "rank1": np.float64(0.91),
        "epoch": 119,
    }
    torch.save(checkpoint, tmp_path / "model_best.pth.tar")
    target = MultiTaskNet(576, attributes=VERI)
    report = load_weights(target, tmp_path / "model_best.pth.tar")
    assert len(report.matched) == 737 - 2
    assert report.missing == ()
    assert report.left == {
        "classifier_vid.weight": "(575, 1024) in the file, (576, 1024) in the network",
        "classifier_vid.bias": "(575,) in the file, (576,) in the network",
    }
    with torch.no_grad():
        given = inputs(source)
        ours, theirs = target.eval()(*given), source.eval()(*given)
    assert torch.equal(ours.embedding, theirs.embedding)
    assert torch.equal(ours.attributes["color"], theirs.attributes["color"])


def test_guides_of_one_kind_are_not_taken_for_another(tmp_path: Path) -> None:
    torch.save(built(segment=True).state_dict(), tmp_path / "segment.pth")
    target = built(heatmap=True, segment=True)
    with pytest.raises(
        ValueError, match=r"base\.conv0\.weight is \(64, 16, .*data\.heatmap.*strict_weights=false"
    ):
        load_weights(target, tmp_path / "segment.pth")
    report = load_weights(target, tmp_path / "segment.pth", strict=False)
    assert set(report.left) == {"base.conv0.weight"}


class Flat(nn.Module):
    """A network's answer as a tuple, as export formats want it: attributes, then the embedding."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        features = self.network(*given)
        return (*features.attributes.values(), features.embedding)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("switches", COMBINATIONS, ids=named)
def test_an_export_answers_the_same_for_any_number_of_images(switches: dict[str, bool]) -> None:
    network = built(**switches).eval()
    flat = Flat(network).eval()
    given = inputs(network, size=3)
    two = tuple(each[:2] for each in given)
    try:
        import onnxruntime  # the extra `export`
    except ImportError:
        outputs = torch.jit.trace(flat, two, check_trace=False)(*given)
    else:
        file = io.BytesIO()
        names = ["input", "keypoints"][: len(given)]
        axes = {name: {0: "batch"} for name in names}
        torch.onnx.export(flat, two, file, dynamo=False, input_names=names, dynamic_axes=axes)
        session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
        fed = {name: each.numpy() for name, each in zip(names, given, strict=True)}
        outputs = tuple(map(torch.from_numpy, session.run(None, fed)))
    with torch.no_grad():
        expected = flat(*given)
    assert len(outputs) == (3 if switches["multitask"] else 1)
    for output, wanted in zip(outputs, expected, strict=True):
        torch.testing.assert_close(output, wanted, rtol=1e-3, atol=1e-4)


def test_torch_export_traces_it_whole() -> None:
    network = built(heatmap=True, keypoints=True).eval()
    flat, given = Flat(network).eval(), inputs(network)
    with torch.no_grad():
        program = torch.export.export(flat, given).module()
        for output, wanted in zip(program(*given), flat(*given), strict=True):
            torch.testing.assert_close(output, wanted)
