"""Weight files as the world publishes them, and those that must be refused."""

import os
import pickle
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid.networks import OSNet
from reid.weights import load_weights, read_weights


def network(planes: int = 3, width: int = 4, identities: int = 5) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(planes, width, 3, bias=False),
            bn=nn.BatchNorm2d(width),
            classifier=nn.Linear(width, identities),
        )
    )


def weights_of(module: nn.Module, *, prefix: str = "") -> dict[str, Tensor]:
    return OrderedDict((f"{prefix}{name}", value) for name, value in module.state_dict().items())


def saved(content: Any, path: Path, *, old: bool = False) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


def training_checkpoint(weights: dict[str, Tensor]) -> dict[str, Any]:
    """What torchreid's trainer writes."""
    return {
        "state_dict": weights,
        "epoch": 150,
        "rank1": np.float64(0.943),
        "optimizer": {"state": {}, "param_groups": [{"lr": np.float32(0.0015), "params": [0]}]},
        "scheduler": {"milestones": Counter([60]), "last_epoch": np.int64(150)},
    }


def lightning_checkpoint(weights: dict[str, Tensor]) -> dict[str, Any]:
    return {"epoch": 3, "pytorch-lightning_version": "2.6.0", "state_dict": weights, "callbacks": {}}


@pytest.mark.parametrize("old", [False, True], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize(
    ("wrap", "prefix", "name"),
    [
        (dict, "", "osnet.pth"),
        (dict, "module.", "parallel.pth"),
        (training_checkpoint, "module.", "model.pth.tar-150"),
        (lightning_checkpoint, "network.", "last.ckpt"),
        (lightning_checkpoint, "network._orig_mod.", "compiled.ckpt"),
    ],
)
def test_every_published_layout_loads(tmp_path: Path, wrap: Any, prefix: str, name: str, old: bool) -> None:
    source, target = network(), network()
    path = saved(wrap(weights_of(source, prefix=prefix)), tmp_path / name, old=old)

    report = load_weights(target, path)

    assert set(report.matched) == set(source.state_dict())
    assert not report.left
    assert report.missing == ()
    for key, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[key], value), key


def test_numpy_scalars_of_numpy_1_are_read(tmp_path: Path) -> None:
    path = saved(training_checkpoint(weights_of(network())), tmp_path / "model.pth.tar", old=True)
    now, before = b"cnumpy._core.multiarray\nscalar\n", b"cnumpy.core.multiarray\nscalar\n"
    assert now in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(now, before))
    assert set(read_weights(path)) == set(network().state_dict())


def test_only_what_fits_by_name_and_shape_is_copied(tmp_path: Path) -> None:
    source, target = network(identities=751), network(identities=5)
    weights = weights_of(source)
    weights["extra.weight"] = torch.zeros(2)
    del weights["bn.bias"], weights["bn.num_batches_tracked"]
    before = {name: value.clone() for name, value in target.state_dict().items()}

    report = load_weights(target, saved(weights, tmp_path / "market.pth"), strict=False)

    assert set(report.matched) == {"conv1.weight", "bn.weight", "bn.running_mean", "bn.running_var"}
    assert report.left == {
        "classifier.weight": "(751, 4) in the file, (5, 4) in the network",
        "classifier.bias": "(751,) in the file, (5,) in the network",
        "extra.weight": "not in the network",
    }
    assert report.missing == ("bn.bias",)
    assert torch.equal(target.state_dict()["conv1.weight"], source.state_dict()["conv1.weight"])
    assert torch.equal(target.state_dict()["classifier.weight"], before["classifier.weight"])
    summary = report.summary()
    for part in ("market.pth", "4 matched, 3 left, 1 missing", "extra.weight: not in", "missing  bn.bias"):
        assert part in summary


def test_a_wider_stem_takes_the_image_planes(tmp_path: Path) -> None:
    source, target = network(planes=3), network(planes=16)
    before = target.conv1.weight.detach().clone()
    report = load_weights(target, saved(weights_of(source), tmp_path / "image.pth"))
    assert "conv1.weight" in report.matched
    assert torch.equal(target.conv1.weight[:, :3], source.conv1.weight)
    assert torch.equal(target.conv1.weight[:, 3:], before[:, 3:])


def test_a_narrower_stem_is_left_alone(tmp_path: Path) -> None:
    source, target = network(planes=16), network(planes=3)
    report = load_weights(target, saved(weights_of(source), tmp_path / "guides.pth"), strict=False)
    assert report.left == {"conv1.weight": "(4, 16, 3, 3) in the file, (4, 3, 3, 3) in the network"}


def test_half_precision_files_load_into_float32(tmp_path: Path) -> None:
    target = network()
    load_weights(target, saved(weights_of(network().half()), tmp_path / "half.pth"))
    assert target.conv1.weight.dtype == torch.float32


def test_osnet_takes_another_benchmarks_weights_but_for_the_classifier(tmp_path: Path) -> None:
    width = (16, 64, 96, 128)
    source, target = OSNet(1041, channels=width), OSNet(751, channels=width)
    report = load_weights(target, saved(weights_of(source), tmp_path / "osnet_x0_25_msmt17.pth"))
    assert len(report.matched) == 565
    assert set(report.left) == {"classifier.weight", "classifier.bias"}
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        assert torch.equal(source.eval()(images).embedding, target.eval()(images).embedding)


def test_a_file_of_another_network_is_an_error(tmp_path: Path) -> None:
    path = saved(
        {"layer1.weight": torch.zeros(3), "bn.num_batches_tracked": torch.tensor(9)}, tmp_path / "r.pth"
    )
    with pytest.raises(ValueError, match=r"r\.pth.*layer1\.weight.*conv1\.weight.*model="):
        load_weights(network(), path)


@pytest.mark.parametrize("path", ["", "nowhere.pth"])
def test_a_missing_file_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path / path)):
        read_weights(tmp_path / path)


class Intruder:
    """Unpickled without care, makes a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("layout", ["zip", "old", "bare"])
def test_a_file_that_runs_code_is_refused(tmp_path: Path, layout: str) -> None:
    path, mark = tmp_path / "evil.pth", tmp_path / "intruded"
    content = {"state_dict": weights_of(network()), "rank1": Intruder(mark)}
    if layout == "bare":
        path.write_bytes(pickle.dumps(content))
    else:
        saved(content, path, old=layout == "old")
    with pytest.raises(ValueError, match=r"evil\.pth .*without running code.*save its state_dict"):
        read_weights(path)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"hello world\n" * 20, b"\x89PNG\r\n\x1a\n" + bytes(64)])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"notes\.pth is not a checkpoint"):
        read_weights(path)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, old: bool, share: float) -> None:
    path = saved(weights_of(network(width=64)), tmp_path / "half.pth", old=old)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"half\.pth is not a checkpoint"):
        read_weights(path)


@pytest.mark.parametrize(
    "content", [{}, [1, 2], torch.zeros(3), {"state_dict": {"epoch": 3}}, {"state_dict": 4}]
)
def test_a_file_without_weights_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(ValueError, match=r"empty\.pth holds no weights"):
        read_weights(saved(content, tmp_path / "empty.pth"))
