"""OSNet's fixbase, as torchreid and as MindSpore publish it."""

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from reid.callbacks import FrozenStart


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        self.classifier = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.body(x))


class Module(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = Network()
        self.seen: list[dict[str, Tensor]] = []
        self.optimizer_sizes: list[int] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.network(batch).square().mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.network.parameters(), lr=0.1, weight_decay=0.1)

    def on_train_epoch_end(self) -> None:
        self.seen.append({name: value.clone() for name, value in self.network.state_dict().items()})
        self.optimizer_sizes.append(len(self.trainer.optimizers[0].state))


def fit(callback: FrozenStart, *, epochs: int) -> Module:
    module = Module()
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    images = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    trainer.fit(module, DataLoader(images, batch_size=4))
    return module


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


CLASSIFIER = {"classifier.weight", "classifier.bias"}
STATISTICS = {"body.1.running_mean", "body.1.running_var", "body.1.num_batches_tracked"}


def test_torchreid_trains_the_classifier_alone_and_rests_statistics() -> None:
    initial = Module().network.state_dict()
    first, second, third = fit(FrozenStart(epochs=2), epochs=3).seen
    assert changed(initial, first) == CLASSIFIER
    assert changed(first, second) == CLASSIFIER
    assert changed(second, third) == set(initial)


def test_mindspore_moves_statistics_and_starts_a_fresh_optimiser() -> None:
    initial = Module().network.state_dict()
    seen = fit(FrozenStart(epochs=1, style="mindspore"), epochs=2).seen
    assert changed(initial, seen[0]) == CLASSIFIER | STATISTICS
    assert changed(seen[0], seen[1]) == set(initial)
    # Adam's first step moves by the rate itself: two steps of a fresh optimiser, the first exactly so
    assert fresh_steps(FrozenStart(epochs=1, style="mindspore")) == 2
    assert fresh_steps(FrozenStart(epochs=1, style="torchreid")) == 4


def fresh_steps(callback: FrozenStart) -> int:
    """How many steps the optimiser remembers of the classifier after a frozen epoch and an open one."""
    module = fit(callback, epochs=2)
    state = module.trainer.optimizers[0].state[module.network.classifier.weight]
    return int(state["step"])


def test_no_frozen_epochs_is_no_freezing() -> None:
    assert changed(Module().network.state_dict(), fit(FrozenStart(epochs=0), epochs=1).seen[0]) >= {
        "body.0.weight",
        *CLASSIFIER,
    }


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(ValueError, match="no layer 'fc'; it has body, classifier"):
        fit(FrozenStart(open_layers=["fc"]), epochs=1)
    with pytest.raises(ValueError, match="style='pytorch'"):
        FrozenStart(style="pytorch")  # type: ignore[arg-type]
