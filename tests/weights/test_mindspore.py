"""MindSpore's checkpoints, written here after the format's description: read, translated or refused."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from weights.mindspore_miniature import (
    aligned_names,
    batch_norms,
    block,
    checkpoint,
    mindspore_names,
    multitask_names,
    training_state,
    value,
    varint,
)

from reid.networks import AlignedReID, MultiTaskNet, OSNet
from reid.weights import load_weights, read_weights
from reid.weights.mindspore import read_mindspore

WEIGHTS = {
    "conv.weight": torch.arange(12.0).reshape(2, 3, 2, 1),
    "bn.gamma": torch.tensor([1.5, -2.0]),
    "half": torch.tensor([0.5, 3.0], dtype=torch.float16),
    "brain": torch.tensor([[1.0], [2.0]], dtype=torch.bfloat16),
    "scalar": torch.tensor(0.25),
    "count": torch.tensor([3, -4], dtype=torch.int32),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"slice_bytes": 4},
    {"slice_bytes": 20},
    {"packed": True},
    {"backwards": True},
    {"crc": True},
]


def randomised(network: nn.Module) -> nn.Module:
    """With running statistics and affine weights that differ from a fresh network's."""
    norms = batch_norms(network)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point() and name.rpartition(".")[0] in norms:
                tensor.uniform_(0.5, 1.5)
    return network


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_tensors_are_read_as_they_were_written(options: dict[str, Any]) -> None:
    read = read_mindspore(checkpoint(WEIGHTS, **options))
    assert list(read) == list(WEIGHTS)
    for name, tensor in WEIGHTS.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor), name


def test_what_is_no_number_and_fields_of_later_versions_are_passed_over() -> None:
    later = varint(9 << 3) + varint(300) + varint(10 << 3 | 5) + b"abcd" + varint(11 << 3 | 1) + b"12345678"
    text = value("note", [0], "str", "hällo".encode())
    table = block(1, block(1, b"table") + block(3, b"\x0a\x00"))
    read = read_mindspore(text + checkpoint({"a": torch.ones(2)}) + table + later)
    assert list(read) == ["a"]


CASES = {
    "osnet": (lambda n: OSNet(n, channels=(16, 64, 96, 128)), mindspore_names, True),
    "aligned": (lambda n: AlignedReID(n), aligned_names, False),
    "multitask": (
        lambda n: MultiTaskNet(n, attributes={"color": 10, "type": 9}, keypoints=True, segment=True),
        multitask_names,
        True,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_seeds_checkpoint_becomes_the_same_network(case: str, tmp_path: Path) -> None:
    build, names, adam = CASES[case]
    source, target = randomised(build(7)), build(5)
    theirs = names(source)
    path = tmp_path / "seed-150_101.ckpt"
    path.write_bytes(checkpoint({**theirs, **training_state(theirs, adam=adam)}, slice_bytes=1 << 20))

    report = load_weights(target, path)

    classifier = "classifier_vid" if case == "multitask" else "classifier"
    assert set(report.left) == {f"{classifier}.weight", f"{classifier}.bias"}
    assert not report.missing
    assert not report.reshaped
    loaded = target.state_dict()
    for name, tensor in source.state_dict().items():
        if not name.startswith(classifier) and not name.endswith("num_batches_tracked"):
            assert torch.equal(loaded[name], tensor), name


def test_the_seeds_prefixes_are_the_ones_that_were_read() -> None:
    """The names in this test's files, said once in full."""
    aligned = aligned_names(AlignedReID(3))
    for name in (
        "_backbone.base.conv1.weight",
        "_backbone.base.bn1.moving_variance",
        "_backbone.base.layer1.0.down_sample_layer.1.gamma",
        "_backbone.bn.beta",
        "_backbone.conv1.bias",
        "_backbone.end_point.weight",
    ):
        assert name in aligned
    multitask = multitask_names(MultiTaskNet(3, attributes={"color": 2}))
    for name in (
        "network.base.conv0.weight",
        "network.base.denseblock4.cell_list.15.norm2.moving_mean",
        "network.base.transition3.features.norm.gamma",
        "network.classifier_vcolor.bias",
    ):
        assert name in multitask
    assert "conv2.0.conv2a.bn.gamma" in mindspore_names(OSNet(3, channels=(16, 64, 96, 128)))


def test_mindspores_imagenet_files_become_trunks(tmp_path: Path) -> None:
    source = randomised(AlignedReID(3))
    trunk = {
        name.removeprefix("_backbone.base."): weight
        for name, weight in aligned_names(source).items()
        if name.startswith("_backbone.base.")
    }
    trunk |= {"end_point.weight": torch.zeros(1000, 2048), "end_point.bias": torch.zeros(1000)}
    (tmp_path / "resnet50_imagenet2012.ckpt").write_bytes(checkpoint(trunk))
    report = load_weights(AlignedReID(3), tmp_path / "resnet50_imagenet2012.ckpt")
    assert set(report.left) == {"end_point.weight", "end_point.bias"}
    assert len(report.matched) == 53 * 5  # convolutions, and four numbers a norm

    multitask = MultiTaskNet(3, attributes={})
    trunk = {
        name.replace("network.base.", "features."): weight
        for name, weight in multitask_names(multitask).items()
        if name.startswith("network.base.")
    }
    trunk |= {"classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}
    (tmp_path / "MultiTask_pretrained.ckpt").write_bytes(checkpoint(trunk))
    report = load_weights(multitask, tmp_path / "MultiTask_pretrained.ckpt")
    assert set(report.left) == {"classifier.weight", "classifier.bias"}
    assert set(report.missing) == {"classifier_vid.weight", "classifier_vid.bias"}


def test_trailing_ones_of_a_shape_do_not_matter(tmp_path: Path) -> None:
    """MindSpore's graph engine has written linear layers and norms in four dimensions."""
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    weights = mindspore_names(network) | {"0.weight": network[0].weight.detach().reshape(2, 3, 1, 1) + 1}
    (tmp_path / "ge.ckpt").write_bytes(checkpoint(weights))
    report = load_weights(network, tmp_path / "ge.ckpt")
    assert set(report.reshaped) == {"0.weight"}
    assert "1 of them reshaped" in report.summary()
    assert torch.equal(network[0].weight, weights["0.weight"].flatten(1))


GOOD = checkpoint({"a.moving_variance": torch.arange(64.0), "b": torch.ones(3, 4)})
HUGE = 1 << 40


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD[:-1], "ends within a field"),
        (GOOD[: len(GOOD) // 2], "ends within a field"),
        (GOOD + b"\x0a\xff", "ends within a number"),
        (GOOD + b"\x0a" + b"\xff" * 10, "ends within a number"),
        (GOOD + b"\x0b", "unknown kind 3"),
        (GOOD + b"\x02\x01a", "ends within a field"),
        (b"\x0a" + varint(HUGE) + b"\x0a\x01a", "ends within a field"),
        (value("a", [HUGE, HUGE], "Float32", b"1234"), "declared .* has 4 bytes"),
        (value("a", [HUGE], "Float32", b""), "declared .* has 0 bytes"),
        (value("a", [2, 2], "Float32", b"1234"), r"a is declared \(2, 2\) Float32 and has 4 bytes"),
        (value("a", [-1], "Float32", b"1234"), "impossible dimensions"),
        (value("a", [1] * 9, "Float32", b"1234"), "impossible dimensions"),
        (value("a", [1], "Float32", b"1234") + value("a", [2], "Float32", b"1234"), "two shapes"),
        (value("a", [1], "Float32", b"1234") + value("a", [1], "Int32", b"1234"), "two shapes"),
        (block(1, block(1, b"\xff\xfe") + block(2, b"")), "decode"),
        (checkpoint({"a": torch.ones(2)}, crc=True).replace(b"\x3f", b"\x3e"), "checksum"),
        (b"\n\n- notes, no weights\n", "MindSpore"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "torn.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"torn\.ckpt is not a checkpoint, or not a whole one.*{said}"):
        read_weights(path)


def test_any_cut_is_refused_or_ends_with_a_whole_value(tmp_path: Path) -> None:
    """A cut between two values leaves a file that lacks some, which strict loading sees."""
    path, between = tmp_path / "torn.ckpt", len(GOOD) - len(checkpoint({"b": torch.ones(3, 4)}))
    for size in range(1, len(GOOD)):
        path.write_bytes(GOOD[:size])
        if size == between:
            assert list(read_weights(path)) == ["a.running_var"]
        else:
            with pytest.raises(ValueError, match=r"torn\.ckpt is not a checkpoint"):
                read_weights(path)


def test_a_huge_declared_tensor_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        for content in (
            value("a", [1 << 30, 16], "Float32", bytes(16)),
            b"\x0a" + varint(1 << 34) + bytes(8),
            value("a", [1 << 34] * 100_000, "Float32", b"", packed=True),
        ):
            with pytest.raises(ValueError):
                read_mindspore(content)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_random_bytes_never_do_more_than_raise() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        torn = bytearray(GOOD)
        for place in torch.randint(0, len(GOOD), (3,), generator=generator).tolist():
            torn[place] = int(torch.randint(0, 256, (), generator=generator))
        try:
            read: dict[str, Tensor] = read_mindspore(bytes(torn))
        except ValueError:
            continue
        assert sum(tensor.nbytes for tensor in read.values()) <= len(torn)


def test_values_that_are_no_weights_are_no_weights(tmp_path: Path) -> None:
    (tmp_path / "notes.ckpt").write_bytes(value("note", [0], "str", b"hello"))
    with pytest.raises(ValueError, match=r"notes\.ckpt holds no weights"):
        read_weights(tmp_path / "notes.ckpt")
