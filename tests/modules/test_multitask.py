"""MultiTaskModule: what it is taught by, what it sees of a batch, and the files that it starts from."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from torch import Tensor

from reid.contracts import Batch
from reid.losses import AttributeLoss, IdentityLoss, TripletLoss
from reid.modules import MultiTaskModule
from reid.networks import MultiTaskNet
from reid.tasks.build import model_section, training_module

ROOT = Path(__file__).parents[2]
VERI = {"color": 10, "type": 9}
PUBLISHED = {"identity": 1.0, "triplet": 1.0, "attributes": 0.125}
ATTRIBUTE_LAYERS = {"fc_vcolor", "fc_vtype", "classifier_vcolor", "classifier_vtype"}


@pytest.fixture(autouse=True)
def hydra_of_its_own() -> Iterator[None]:
    yield
    GlobalHydra.instance().clear()


def built(
    weights: dict[str, float] = PUBLISHED, *, attributes: bool = True, **network: Any
) -> MultiTaskModule:
    torch.manual_seed(0)
    return MultiTaskModule(
        MultiTaskNet(3, **{"attributes": VERI, **network}),
        {"identity": IdentityLoss(smoothing=0.0), "triplet": TripletLoss(), "attributes": AttributeLoss()},
        loss_weights=weights,
        attributes=attributes,
    )


def batch_of(**more: Any) -> Batch:
    image = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    rows = torch.tensor([0, 0, 1, 2])
    known = {"color": rows, "type": rows}
    return Batch(
        image=image, identity=rows, camera=rows, index=rows, is_query=rows > 1, attributes=known, **more
    )


def trained_on(module: MultiTaskModule, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a step, and what it logs."""
    logged: dict[str, Tensor] = {}
    module.log = lambda name, value, **_: logged.update({name: value})  # type: ignore[assignment, misc]
    return module.training_step(batch, 0), logged


@pytest.mark.parametrize(
    ("weights", "settings", "at_rest"),
    [
        ({}, {}, set()),
        ({"attributes": 0}, {}, ATTRIBUTE_LAYERS),
        ({"identity": 0}, {}, {"classifier_vid"}),
        ({"triplet": 0}, {}, set()),
        ({"identity": 0, "triplet": 0}, {}, {"classifier_vid", "fc_vid"}),
        ({}, {"attributes": False}, ATTRIBUTE_LAYERS),
        ({}, {"multitask": False}, set()),
        ({"identity": 0}, {"multitask": False, "keypoints": True}, {"classifier_vid"}),
    ],
)
def test_what_no_loss_teaches_is_at_rest(
    weights: dict[str, float], settings: dict[str, bool], at_rest: set[str]
) -> None:
    module = built({**PUBLISHED, **weights}, **settings)
    loss, _ = trained_on(module, batch_of(keypoints=torch.zeros(4, 36, 3)))
    loss.backward()
    parameters = dict(module.network.named_parameters())
    waiting = {name for name, each in parameters.items() if each.requires_grad}
    taught = {name for name, each in parameters.items() if each.grad is not None}
    assert waiting == taught
    assert {name.split(".")[0] for name in parameters.keys() - taught} == at_rest


def test_the_sum_has_the_published_weights() -> None:
    loss, logged = trained_on(built(), batch_of())
    assert set(logged) == {"train/identity", "train/triplet", "train/attributes", "train/loss"}
    expected = logged["train/identity"] + logged["train/triplet"] + 0.125 * logged["train/attributes"]
    torch.testing.assert_close(loss.detach(), expected)


@pytest.mark.parametrize("settings", [{"attributes": False}, {"multitask": False}])
def test_without_attributes_their_loss_is_not_computed(settings: dict[str, bool]) -> None:
    module = built(**settings)
    batch = batch_of()
    batch["attributes"] = {}  # a benchmark of people
    _, logged = trained_on(module, batch)
    assert set(logged) == {"train/identity", "train/triplet", "train/loss"}


def test_without_attributes_another_loss_is_needed() -> None:
    with pytest.raises(ValueError, match=r"model\.loss_weights=.*identity"):
        built({"attributes": 1.0}, attributes=False)


@pytest.mark.parametrize("channels_last", [False, True])
def test_keypoints_reach_the_network(channels_last: bool) -> None:
    module = built(keypoints=True).eval()
    module.channels_last = channels_last
    batch = batch_of(keypoints=torch.rand(4, 36, 3))
    with torch.no_grad():
        features = module.validation_step(batch, 0)
        expected = module.network(batch["image"], batch["keypoints"])
        other = module.network(batch["image"], 1 - batch["keypoints"])
    torch.testing.assert_close(features.embedding, expected.embedding)
    assert not torch.allclose(features.embedding, other.embedding)
    assert {name: tuple(each.shape) for name, each in features.attributes.items()} == {
        "color": (4, 10),
        "type": (4, 9),
    }


def test_a_network_without_keypoints_sees_the_image_alone() -> None:
    batch = batch_of(keypoints=torch.rand(4, 36, 3))
    assert len(built().inputs(batch)) == 1


def test_a_batch_without_keypoints_is_refused_with_advice() -> None:
    with pytest.raises(ValueError, match=r"data\.keypoints=true"):
        built(keypoints=True).validation_step(batch_of(), 0)


def test_a_checkpoint_keeps_what_the_scores_stand_for() -> None:
    module = built()
    module.description = {"format": 1}
    names = {"color": ("yellow", "orange"), "type": ("sedan", "suv")}
    data = SimpleNamespace(identities={7: 0, 12: 1}, benchmark=SimpleNamespace(attributes=names))
    module._trainer = SimpleNamespace(datamodule=data)  # type: ignore[assignment]
    checkpoint: dict[str, Any] = {}
    module.on_save_checkpoint(checkpoint)
    assert checkpoint["reid"] == {
        "format": 1,
        "identities": [7, 12],
        "attributes": {"color": ["yellow", "orange"], "type": ["sedan", "suv"]},
    }


def composed(*sentence: str) -> Any:
    initialize_config_dir(str(ROOT / "conf"), version_base="1.3")
    return compose(
        "config", ["model=multitask", "data.num_identities=3", "+data.attributes.color=2", *sentence]
    )


def test_the_model_says_which_switches_are_on() -> None:
    config = composed("data.heatmap=true", "data.keypoints=true", "model.attributes=false")
    section = model_section(config)
    assert "weights" not in section
    assert "trunk_weights" not in section
    module = training_module(config)
    assert isinstance(module, MultiTaskModule)
    assert module.network.in_channels == 39
    assert set(dict(module.network.named_children())) == {"base", "fc", "classifier_vid"}
    assert module.loss_weights == {"identity": 1.0, "triplet": 1.0}


def test_training_starts_from_a_trunk_then_from_a_whole_network(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = MultiTaskNet(3, attributes={"color": 2})
    trunk = {f"features.{name}": value + 1 for name, value in source.base.state_dict().items()}
    heads = {name: value for name, value in source.state_dict().items() if not name.startswith("base.")}
    torch.save(trunk, tmp_path / "densenet121.pth")
    torch.save({"state_dict": heads, "epoch": 119}, tmp_path / "model_best.pth.tar")
    files = (
        "model.strict_weights=false",
        f"model.trunk_weights={tmp_path}/densenet121.pth",
        f"model.weights={tmp_path}/model_best.pth.tar",
    )
    with caplog.at_level(logging.INFO):
        module = training_module(composed(*files))
    loaded = module.network.state_dict()
    assert torch.equal(loaded["base.norm5.bias"], trunk["features.norm5.bias"])
    assert torch.equal(loaded["fc_vcolor.weight"], heads["fc_vcolor.weight"])
    first, second = (message for message in caplog.messages if "matched" in message)
    assert "densenet121.pth: 725 matched, 0 left" in first
    assert "model_best.pth.tar: 8 matched, 0 left" in second


def test_a_trunk_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"layer1.0.conv1.weight": torch.zeros(3)}, tmp_path / "resnet50.pth")
    config = composed(f"model.trunk_weights={tmp_path}/resnet50.pth")
    with pytest.raises(ValueError, match=r"nothing in .*resnet50\.pth matches"):
        training_module(config)
