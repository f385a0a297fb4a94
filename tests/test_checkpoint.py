"""Checkpoints are data: whole or absent, and nothing in one is ever executed."""

import os
from pathlib import Path

import pytest
import torch

from reid import checkpoint as ours
from reid.checkpoint import (
    check_targets,
    describe,
    difference,
    is_checkpoint,
    load_network,
    read_checkpoint,
    write_checkpoint,
)

MODEL = {
    "_target_": "reid.modules.OSNetModule",
    "network": {"_target_": "reid.networks.OSNet", "num_identities": 3},
}


def whole() -> dict:
    return {
        "state_dict": {"network.a": torch.ones(2)},
        "reid": describe(MODEL, image_size=(256, 128), distance="cosine", data="toy"),
    }


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "best.ckpt"
    write_checkpoint(whole(), path)
    read = read_checkpoint(path)
    assert read["reid"] == {
        "format": 1,
        "model": MODEL,
        "image_size": [256, 128],
        "distance": "cosine",
        "data": "toy",
    }
    assert torch.equal(read["state_dict"]["network.a"], torch.ones(2))
    assert ours.network_weights(read).keys() == {"a"}
    assert [file.name for file in path.parent.iterdir()] == ["best.ckpt"]


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(whole(), path)
    before = path.read_bytes()

    def full(content: object, file: object) -> None:
        file.write(b"half of it")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"last\.ckpt.*No space left.*intact.*hydra\.run\.dir"):
        write_checkpoint({"state_dict": {}}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.ckpt"):
        read_checkpoint(tmp_path / "nothing.ckpt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"notes\.txt is not a checkpoint"):
        read_checkpoint(path)


def test_half_a_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    write_checkpoint(whole(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="damaged"):
        read_checkpoint(path)


def test_published_weights_are_pointed_to_their_option(tmp_path: Path) -> None:
    path = tmp_path / "osnet.pth"
    torch.save({"conv1.conv.weight": torch.ones(1)}, path)
    with pytest.raises(ValueError, match=r"model\.weights=PATH"):
        read_checkpoint(path)


def test_an_exported_file_is_pointed_to_its_option(tmp_path: Path) -> None:
    (tmp_path / "osnet.onnx").write_bytes(b"\x08\x08:\x00")
    with pytest.raises(ValueError, match=r"an exported file is read by model_file=.*osnet\.onnx"):
        read_checkpoint(tmp_path / "osnet.onnx")
    program = torch.jit.trace(torch.nn.Linear(1, 1), torch.ones(1, 1))  # type: ignore[no-untyped-call]
    torch.jit.save(program, tmp_path / "osnet.pt")  # type: ignore[no-untyped-call]
    with pytest.raises(ValueError, match=r"an exported file is read by model_file=.*osnet\.pt"):
        read_checkpoint(tmp_path / "osnet.pt")
    write_checkpoint(whole(), tmp_path / "best.ckpt")
    kinds = {name: is_checkpoint(tmp_path / name) for name in ("osnet.onnx", "osnet.pt", "best.ckpt")}
    assert kinds == {"osnet.onnx": False, "osnet.pt": False, "best.ckpt": True}


@pytest.mark.parametrize("told", [None, {}, {"model": "osnet"}])
def test_a_checkpoint_says_which_model_it_is_of(tmp_path: Path, told: object) -> None:
    write_checkpoint({**whole(), "reid": told}, tmp_path / "mute.ckpt")
    with pytest.raises(ValueError, match=r"mute\.ckpt does not say which model"):
        read_checkpoint(tmp_path / "mute.ckpt")


@pytest.mark.parametrize(
    "weights",
    [{"network.weight": torch.ones(3, 2)}, {}, {"network.weight": 3, "network.bias": torch.ones(2)}],
)
def test_weights_of_another_shape_are_refused(weights: dict) -> None:
    with pytest.raises(ValueError, match="not of the network that it describes"):
        load_network(torch.nn.Linear(2, 2), {"state_dict": weights})


class Bomb:
    def __reduce__(self) -> tuple:
        return os.system, ("touch exploded",)


def test_code_in_a_checkpoint_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**whole(), "callbacks": Bomb()}, tmp_path / "evil.ckpt")
    with pytest.raises(ValueError, match="not a checkpoint"):
        read_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "exploded").exists()


def test_our_classes_and_torchs_are_built() -> None:
    check_targets(MODEL)
    check_targets(
        {"losses": [{"_target_": "torch.nn.CrossEntropyLoss"}], "o": {"_target_": "torch.optim.Adam"}}
    )


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "torch.load",
        "torch.hub.load",
        "torch.nn.modules.module.torch.load",
        "reid.checkpoint.os.system",
        "reid.checkpoint.Path",
        "reid.checkpoint.os.PathLike",
        "reid.nothing.Here",
        "reid.checkpoint.read_checkpoint",
        "numpy.load",
        3,
    ],
)
def test_any_other_target_is_refused(target: object) -> None:
    with pytest.raises(ValueError, match=r"asks to build .* \(model\.network\)"):
        check_targets({"_target_": "reid.modules.OSNetModule", "network": {"_target_": target}})


def test_differences_are_named() -> None:
    other = {
        "_target_": MODEL["_target_"],
        "network": {"_target_": "reid.networks.OSNet", "num_identities": 4},
    }
    assert difference(MODEL, MODEL) == []
    assert difference(MODEL, other) == ["model.network.num_identities: 3 -> 4"]


def test_an_option_that_came_later_has_its_default() -> None:
    before = {"_target_": "reid.networks.AlignedReID", "num_identities": 3}
    now = {**before, "padding": "torch", "epsilon": 1e-5}
    assert difference({"network": before}, {"network": now}) == []
    assert difference({"network": before}, {"network": {**now, "padding": "same"}}) == [
        "model.network.padding: torch -> same"
    ]
