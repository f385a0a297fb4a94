"""A loss of weight 0 leaves nothing behind that several processes would wait for."""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from reid.contracts import Batch
from reid.modules import ReIDModule
from reid.tasks.build import build_module, model_section

ROOT = Path(__file__).parents[2]


def built(model: str, *weights: str) -> ReIDModule:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", [f"model={model}", "data.num_identities=3", *weights])
        return build_module(model_section(config))


@pytest.mark.parametrize(
    ("model", "weights", "at_rest"),
    [
        ("osnet_x0_25", [], set()),
        ("osnet_x0_25", ["model.loss_weights={identity:0,triplet:1}"], {"classifier"}),
        ("aligned_reid", [], set()),
        ("aligned_reid", ["model.loss_weights.aligned=0"], {"bn", "conv1"}),
        ("aligned_reid", ["model.loss_weights.identity=0"], {"classifier"}),
    ],
)
def test_what_no_loss_teaches_is_at_rest(model: str, weights: list[str], at_rest: set[str]) -> None:
    module = built(model, *weights)
    image = torch.randn(4, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    identity = torch.tensor([0, 0, 1, 1])
    features = module(image)
    batch = Batch(
        image=image, identity=identity, camera=identity, index=identity, is_query=identity > 1, attributes={}
    )
    sum(module.losses[name](features, batch) for name in module.loss_weights).backward()
    waiting = {name for name, each in module.network.named_parameters() if each.requires_grad}
    taught = {name for name, each in module.network.named_parameters() if each.grad is not None}
    assert waiting == taught
    untaught = {name for name, _ in module.network.named_parameters()} - taught
    assert {name.split(".")[0] for name in untaught} == at_rest
