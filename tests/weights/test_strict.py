"""Files of another network are refused with the names that gave them away, partial ones unless asked for."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from weights.mindspore_miniature import checkpoint

from reid.networks import AlignedReID, MultiTaskNet, OSNet, OSNetAIN
from reid.networks.densenet import densenet121
from reid.networks.resnet import CHILDREN
from reid.weights import (
    classes,
    copy_weights,
    is_trunk,
    load_weights,
    read_weights,
    translated,
    write_weights,
)

X0_25, X0_5 = (16, 64, 96, 128), (32, 128, 192, 256)
VERI = {"color": 10, "type": 9}


def saved(weights: Any, path: Path) -> Path:
    torch.save(weights, path)
    return path


def torchvision_resnet50() -> dict[str, Tensor]:
    names = {f"base.{number}": child for number, child in enumerate(CHILDREN)}
    theirs = {}
    for name, weight in AlignedReID(2).state_dict().items():
        base = ".".join(name.split(".")[:2])
        if base in names:
            theirs[name.replace(base, names[base], 1)] = weight
    return theirs | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}


def torchvision_densenet121() -> dict[str, Tensor]:
    theirs = {f"features.{name}": weight for name, weight in densenet121().state_dict().items()}
    return theirs | {"classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}


@pytest.mark.parametrize(
    ("weights", "network", "said"),
    [
        (
            lambda: OSNet(751, channels=X0_5).state_dict(),
            lambda: OSNet(751, channels=X0_25),
            r"conv1\.conv\.weight is \(32, 3, 7, 7\) in the file, \(16, 3, 7, 7\) in the network",
        ),
        (
            lambda: OSNet(751, channels=X0_25, instance_norm=True).state_dict(),
            lambda: OSNet(751, channels=X0_25),
            r"conv2\.0\.IN\.weight is not in the network",
        ),
        (
            lambda: OSNet(751, channels=X0_25).state_dict(),
            lambda: OSNet(751, channels=X0_25, instance_norm=True),
            r"conv2\.0\.IN\.weight is not in the file",
        ),
        (
            lambda: OSNet(751, channels=X0_25).state_dict(),
            lambda: OSNetAIN(751, channels=X0_25),
            r"not in the network.* and \d+ more",
        ),
        (torchvision_resnet50, lambda: OSNet(751, channels=X0_25), r"conv1\.weight.*conv1\.conv\.weight"),
        (
            torchvision_resnet50,
            lambda: MultiTaskNet(5, attributes=VERI),
            r"matches the network.*conv1\.weight",
        ),
        (torchvision_densenet121, lambda: AlignedReID(5), r"matches the network.*features\.conv0\.weight"),
        (
            lambda: MultiTaskNet(5, attributes={}).state_dict(),
            lambda: MultiTaskNet(5, attributes=VERI),
            r"fc_vid\.weight is not in the file.*model\.attributes",
        ),
        (
            lambda: MultiTaskNet(5, attributes=VERI, keypoints=True).state_dict(),
            lambda: MultiTaskNet(5, attributes=VERI),
            r"fc_vid\.weight is \(1024, 1132\) in the file.*data\.keypoints",
        ),
        (
            lambda: MultiTaskNet(5, attributes={}, keypoints=True).state_dict(),
            lambda: MultiTaskNet(5, attributes={}),
            r"fc\.weight is not in the network",
        ),
    ],
)
def test_another_networks_file_is_refused(tmp_path: Path, weights: Any, network: Any, said: str) -> None:
    path, target = saved(dict(weights()), tmp_path / "other.pth"), network()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(ValueError, match=rf"other\.pth .*{said}"):
        load_weights(target, path)
    for name, value in target.state_dict().items():
        assert torch.equal(value, before[name]), "a refusal changes nothing"


def test_a_partial_file_is_taken_when_asked_for(tmp_path: Path) -> None:
    weights = dict(OSNet(3, channels=X0_25).state_dict())
    del weights["conv5.conv.weight"]
    path = saved(weights, tmp_path / "partial.pth")
    with pytest.raises(ValueError, match=r"conv5\.conv\.weight is not in the file.*strict_weights=false"):
        load_weights(OSNet(3, channels=X0_25), path)
    report = load_weights(OSNet(3, channels=X0_25), path, strict=False)
    assert report.missing == ("conv5.conv.weight",)


@pytest.mark.parametrize(
    ("weights", "network", "missing", "left"),
    [
        (lambda: OSNet(1000, channels=X0_25).state_dict(), lambda: OSNet(5, channels=X0_25), 0, 2),
        (torchvision_resnet50, lambda: AlignedReID(5, in_channels=4), 8, 2),
        (torchvision_densenet121, lambda: MultiTaskNet(5, attributes=VERI, heatmap=True), 12, 2),
        (
            lambda: MultiTaskNet(575, attributes={"color": 10, "type": 8}).state_dict(),
            lambda: MultiTaskNet(576, attributes=VERI, segment=True),
            0,
            4,
        ),
    ],
)
def test_classifiers_and_trunks_are_taken_strictly(
    tmp_path: Path, weights: Any, network: Any, missing: int, left: int
) -> None:
    report = load_weights(network(), saved(dict(weights()), tmp_path / "start.pth"))
    assert (len(report.missing), len(report.left)) == (missing, left)


def test_a_trunk_must_be_whole(tmp_path: Path) -> None:
    weights = torchvision_resnet50()
    del weights["layer4.2.conv3.weight"]
    with pytest.raises(ValueError, match=r"base\.7\.2\.conv3\.weight is not in the file"):
        load_weights(AlignedReID(5), saved(weights, tmp_path / "half.pth"))


def test_classifiers_say_what_they_tell_apart() -> None:
    assert classes(OSNet(751, channels=X0_25).state_dict()) == {"num_identities": 751}
    assert classes(AlignedReID(7).state_dict()) == {"num_identities": 7}
    assert classes(MultiTaskNet(575, attributes=VERI).state_dict()) == {
        "num_identities": 575,
        "attributes": VERI,
    }
    assert classes({"fc.weight": torch.zeros(1000, 5)}) == {}
    assert is_trunk(translated(torchvision_densenet121(), MultiTaskNet), MultiTaskNet)
    assert not is_trunk(MultiTaskNet(5, attributes=VERI).state_dict(), MultiTaskNet)
    assert not is_trunk(OSNet(5, channels=X0_25).state_dict(), OSNet)


def test_our_own_checkpoints_give_their_network_alone(tmp_path: Path) -> None:
    source = OSNet(4, channels=X0_25)
    weights = {f"network.{name}": value for name, value in source.state_dict().items()}
    content = {"state_dict": weights | {"metric.total": torch.ones(1)}, "reid": {"format": 1}}
    report = load_weights(OSNet(4, channels=X0_25), saved(content, tmp_path / "best.ckpt"))
    assert len(report.matched) == 567
    assert not report.left


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(1 << 40, 1 << 20),
        torch.zeros(3, 3).to_sparse(),
        torch.empty(1 << 40, device="meta"),
    ],
    ids=["expanded", "sparse", "meta"],
)
def test_tensors_that_claim_more_than_they_hold_are_refused(tmp_path: Path, tensor: Tensor) -> None:
    path = saved({"classifier.weight": tensor, "a": torch.ones(2)}, tmp_path / "bomb.pth")
    with pytest.raises(ValueError, match=r"bomb\.pth is not a checkpoint"):
        read_weights(path)


def test_numbers_that_python_2_pickled_are_read(tmp_path: Path) -> None:
    """Of a ``rank1`` whose bytes are no UTF-8: protocol 2 as numpy 1 wrote it, a str of eight bytes."""
    path = tmp_path / "best_model.pth.tar"
    torch.save({"state_dict": {"a": torch.ones(2)}, "rank1": 0.5}, path, _use_new_zipfile_serialization=False)
    number = (
        b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n(U\x02f8K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ"
        b"\xff\xff\xff\xffK\x00tbU\x08\x9a\x99\x99\x99\x99\x99\xed?\x86R"
    )
    plain = b"G?\xe0\x00\x00\x00\x00\x00\x00"
    content = path.read_bytes()
    assert content.count(plain) == 1
    path.write_bytes(content.replace(plain, number))
    assert list(read_weights(path)) == ["a"]


def test_safetensors_go_out_and_come_back(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    source, target = OSNet(3, channels=X0_25), OSNet(3, channels=X0_25)
    weights = source.to(memory_format=torch.channels_last).state_dict()  # type: ignore[call-overload]
    write_weights(weights, tmp_path / "deep" / "osnet.safetensors")
    report = load_weights(target, tmp_path / "deep" / "osnet.safetensors")
    assert len(report.matched) == 567
    for name, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], value)
    content = (tmp_path / "deep" / "osnet.safetensors").read_bytes()
    for torn in (content[:-1], content[:100], content[:8] + b"{" + bytes(200)):
        (tmp_path / "torn.safetensors").write_bytes(torn)
        with pytest.raises(ValueError, match=r"torn\.safetensors is not a checkpoint"):
            read_weights(tmp_path / "torn.safetensors")


def test_mindspores_safetensors_are_translated(tmp_path: Path) -> None:
    torch_form = pytest.importorskip("safetensors.torch")
    theirs = {f"bn.{name}": torch.ones(2) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    torch_form.save_file(
        theirs | {"global_step": torch.ones(1)}, tmp_path / "ms.safetensors", {"format": "ms"}
    )
    assert set(read_weights(tmp_path / "ms.safetensors")) == {
        f"bn.{name}" for name in ("weight", "bias", "running_mean", "running_var")
    }


def test_without_safetensors_a_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ValueError, match=r"a\.safetensors needs safetensors: pip install"):
        read_weights(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"b\.safetensors needs safetensors: pip install"):
        write_weights({"a": torch.ones(1)}, tmp_path / "b.safetensors")


def test_a_zip_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.pth", "w") as archive:
        archive.writestr("photos/1.jpg", b"not a tensor")
    with pytest.raises(ValueError, match=r"photos\.pth is not a checkpoint"):
        read_weights(tmp_path / "photos.pth")


def test_a_zip_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    path = saved({"a": torch.zeros(1 << 20)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(tmp_path / "bomb.pth", "w", 8) as bomb:
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    assert (tmp_path / "bomb.pth").stat().st_size < 1 << 14
    with pytest.raises(ValueError, match=r"bomb\.pth is not a checkpoint as torch\.save writes it"):
        read_weights(tmp_path / "bomb.pth")


def written(weights: dict[str, Tensor], path: Path) -> None:
    """Weights of a network in the form that the path's name says."""
    if path.name == "mindspore.ckpt":
        path.write_bytes(
            checkpoint({name.replace("bn.weight", "bn.gamma"): w for name, w in weights.items()})
        )
    elif path.suffix == ".safetensors":
        write_weights(weights, path)
    elif path.name == "ours.ckpt":
        state = {f"network.{name}": weight for name, weight in weights.items()}
        torch.save({"state_dict": state, "reid": {"format": 1}}, path)
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=path.suffix != ".tar")


@pytest.mark.parametrize(
    "name", ["bare.pth", "old.pth.tar", "ours.ckpt", "weights.safetensors", "mindspore.ckpt"]
)
def test_every_format_is_refused_in_another_shape_and_in_part(tmp_path: Path, name: str) -> None:
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    network = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 4, bias=False))
    path, good = tmp_path / name, dict(network.state_dict())
    for wrong in (torch.ones(2, 5), torch.ones(3, 2), torch.ones(6), torch.ones(2, 3, 2)):
        written(good | {"0.weight": wrong}, path)
        with pytest.raises(ValueError, match=rf"{name} is not of this network: 0\.weight is \("):
            load_weights(network, path)
    written(good | {"0.weight": torch.ones(2, 3)}, path)
    assert load_weights(network, path).matched == ("0.weight", "1.weight")
    assert (network[0].weight == 1).all()
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=rf"{name} is not (a checkpoint|of this network)"):
            load_weights(network, path)


def test_a_report_names_what_it_did() -> None:
    network = nn.Sequential(nn.Conv2d(16, 2, 1, bias=False))
    report = copy_weights(network, {"0.weight": torch.ones(2, 3, 1, 1)}, source=Path("image.pth"))
    assert report.summary() == (
        "image.pth: 1 matched, 1 of them reshaped, 0 left, 0 missing\n"
        "  reshaped 0.weight: (2, 3, 1, 1) in the file, the first planes of (2, 16, 1, 1)"
    )
