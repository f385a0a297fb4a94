"""task=convert: weight files of any kind become checkpoints that evaluate, and come back unchanged."""

from pathlib import Path

import pytest
import torch
from weights.mindspore_miniature import checkpoint, mindspore_names, multitask_names, training_state

from reid.checkpoint import network_weights, read_checkpoint
from reid.networks import AlignedReID, MultiTaskNet, OSNet
from reid.weights import read_weights

CHANNELS = (16, 64, 96, 128)


def line(outcome) -> str:
    """The one line of a failed run."""
    assert outcome.status == 1, outcome.err
    assert "Traceback" not in outcome.err + outcome.out
    return next(text for text in outcome.err.splitlines() if text.startswith("Error: "))


def same(ours, theirs) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
        assert ours[name].dtype == value.dtype


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_ours_to_theirs_to_ours_is_exact(program, trained, tmp_path: Path, ending: str) -> None:
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    best = trained.folder / "checkpoints" / "best.ckpt"
    before = read_checkpoint(best)
    bare, back = tmp_path / f"osnet.{ending}", tmp_path / "back" / "osnet.ckpt"

    there = program.inside("task=convert", f"checkpoint={best}", f"task.to={bare}")
    assert there.status == 0, there.err
    assert "of osnet_x0_25, 8 identities, 567 tensors" in there.out
    same(read_weights(bare), network_weights(before))
    if ending == "pth":
        assert list(torch.load(bare, weights_only=True)) == list(network_weights(before)), (
            "bare, as torchreid's"
        )

    again = program.inside("task=convert", f"model.weights={bare}", f"task.to={back}")
    assert again.status == 0, again.err
    assert "567 matched, 0 left, 0 missing" in again.out
    after = read_checkpoint(back)
    same(network_weights(after), network_weights(before))
    trained_on = ("identities", "attributes", "threshold")
    known = {key: value for key, value in before["reid"].items() if key not in trained_on}
    assert after["reid"] == known

    evaluated = program.inside("task=evaluate", f"checkpoint={back}")
    assert evaluated.status == 0, evaluated.err
    assert evaluated.metrics()["mAP"] == pytest.approx(trained.metrics()["mAP"], abs=1e-6)


def test_a_seeds_checkpoint_evaluates_as_its_network_does(program, trained, tmp_path: Path) -> None:
    """The same weights as torchreid's file and as MindSpore's: the same figures, and its own identities."""
    best = read_checkpoint(trained.folder / "checkpoints" / "best.ckpt")
    network = OSNet(8, channels=CHANNELS)
    network.load_state_dict(network_weights(best))
    theirs = mindspore_names(network)
    seed, ours = tmp_path / "osnet-240_101.ckpt", tmp_path / "osnet.ckpt"
    seed.write_bytes(checkpoint({**theirs, **training_state(theirs, adam=True)}, crc=True))

    converted = program.inside(
        "task=convert",
        "model=osnet_x0_25",
        "data=market1501",
        "data.image_size=[64, 32]",
        f"model.weights={seed}",
        f"task.to={ours}",
        small=False,
    )

    assert converted.status == 0, converted.err
    assert "0 left, 0 missing" in converted.out
    assert "8 identities" in converted.out
    assert read_checkpoint(ours)["reid"]["data"] == "market1501"
    evaluated = program.inside("task=evaluate", f"checkpoint={ours}")
    assert evaluated.status == 0, evaluated.err
    assert evaluated.metrics()["mAP"] == pytest.approx(trained.metrics()["mAP"], abs=1e-6)


@pytest.mark.parametrize("padding", ["torch", "same"])
def test_multitask_takes_identities_attributes_and_padding(program, tmp_path: Path, padding: str) -> None:
    source = MultiTaskNet(11, attributes={"color": 10, "type": 9}, keypoints=True, heatmap=True)
    theirs = multitask_names(source)
    (tmp_path / "MultipleNet-10_142.ckpt").write_bytes(checkpoint(theirs))
    outcome = program.inside(
        "task=convert",
        "model=multitask",
        "data=veri",
        "data.keypoints=true",
        "data.heatmap=true",
        f"model.network.pool_padding={padding}",
        f"model.weights={tmp_path}/MultipleNet-10_142.ckpt",
        f"task.to={tmp_path}/multitask.ckpt",
        small=False,
    )
    assert outcome.status == 0, outcome.err
    section = read_checkpoint(tmp_path / "multitask.ckpt")["reid"]["model"]["network"]
    assert section["num_identities"] == 11
    assert section["attributes"] == {"color": 10, "type": 9}
    assert section["heatmap"]
    assert section["keypoints"]
    assert section["pool_padding"] == padding
    assert ("set model.network.pool_padding=same" in outcome.err) == (padding == "torch")


def test_a_converted_multitask_checkpoint_evaluates(program, tmp_path: Path) -> None:
    source = MultiTaskNet(11, attributes={"color": 10, "type": 9})
    torch.save({"state_dict": source.state_dict(), "epoch": 59}, tmp_path / "model_best.pth.tar")
    ours = tmp_path / "multitask.ckpt"
    words = ["model=multitask", "data=vehicles", "data.drawing={train_identities: 4, test_identities: 4}"]
    outcome = program.inside(
        "task=convert", *words, f"model.weights={tmp_path}/model_best.pth.tar", f"task.to={ours}", small=False
    )
    assert outcome.status == 0, outcome.err
    evaluated = program.inside(
        "task=evaluate",
        *words,
        f"checkpoint={ours}",
        "data.image_size=[64, 64]",
        "trainer.precision=32-true",
        "device.reuse_memory=false",
        small=False,
    )
    assert evaluated.status == 0, evaluated.err
    assert {"color_accuracy", "type_accuracy"} <= evaluated.metrics().keys()


def test_a_trunk_is_converted_only_when_asked_for(program, tmp_path: Path) -> None:
    trunk = {n: w for n, w in AlignedReID(2).state_dict().items() if n.startswith("base.")}
    torch.save(trunk, tmp_path / "trunk.pth")
    words = ["task=convert", "model=aligned_reid", "data=market1501", f"model.weights={tmp_path}/trunk.pth"]
    said = line(program.inside(*words, f"task.to={tmp_path}/a.ckpt", small=False))
    assert "trunk.pth is a trunk alone" in said
    assert "strict_weights=false" in said
    assert not (tmp_path / "a.ckpt").exists()
    loose = program.inside(
        *words, "model.strict_weights=false", f"task.to={tmp_path}/aligned.pth", small=False
    )
    assert loose.status == 0, loose.err
    same(read_weights(tmp_path / "aligned.pth"), trunk)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task.to=out.ckpt"], "reads one file"),
        (["task.to=out.ckpt", "model.weights=a.pth", "checkpoint=b.ckpt"], "reads one file"),
        (["model.weights=a.pth"], "task.to=None"),
        (["model.weights=a.pth", "task.to=out.onnx"], "out.onnx"),
        (["model.weights=a.pth", "task.to=out.ckpt"], "no weights at a.pth"),
        (["checkpoint=b.ckpt", "task.to=out.ckpt"], "no checkpoint at b.ckpt"),
    ],
)
def test_what_cannot_be_converted_is_said(program, words: list[str], said: str) -> None:
    assert said in line(program.inside("task=convert", *words, small=False))


def test_another_models_file_is_refused(program, trained, tmp_path: Path) -> None:
    torch.save(OSNet(3, channels=(32, 128, 192, 256)).state_dict(), tmp_path / "osnet_x0_5.pth")
    words = [f"model.weights={tmp_path}/osnet_x0_5.pth", "model=osnet_x0_25"]
    for task in (["task=convert", f"task.to={tmp_path}/out.ckpt"], ["trainer.max_epochs=1"]):
        said = line(program.inside(*task, *words))
        assert "osnet_x0_5.pth is not of this network" in said
        assert "(32, 3, 7, 7) in the file, (16, 3, 7, 7)" in said


def test_a_converted_checkpoint_is_no_run_to_resume(program, trained, tmp_path: Path) -> None:
    best, ours = trained.folder / "checkpoints" / "best.ckpt", tmp_path / "slim.ckpt"
    assert program.inside("task=convert", f"checkpoint={best}", f"task.to={ours}").status == 0
    said = line(program.inside(f"resume={ours}"))
    assert "slim.ckpt" in said
    assert "model.weights=" in said
