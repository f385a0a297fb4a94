"""OSNet's fixbase: for its first epochs a fine-tuned network trains its new layers only."""

from collections.abc import Sequence
from typing import Any, Literal

import pytorch_lightning as pl
from torch import nn
from torch.optim import Optimizer


class FrozenStart(pl.Callback):
    """Trains only ``open_layers`` for the first ``epochs``, which count as epochs of the schedule.

    Frozen parameters keep their place in the optimiser but get no gradient, so that data-parallel wrappers,
    which fix their list of parameters once, stay right when they open.

    Args:
        epochs: how many epochs; 0 trains everything from the start.
        open_layers: children of the network that train meanwhile.
        style: "torchreid" holds frozen layers in evaluation mode, so their batch-norm statistics rest,
            and keeps one optimiser throughout. "mindspore" leaves them in training mode and starts with a
            fresh optimiser once all layers are open.

    Raises:
        ValueError: a layer that the network does not have.
    """

    def __init__(
        self,
        epochs: int = 10,
        open_layers: Sequence[str] = ("classifier",),
        *,
        style: Literal["torchreid", "mindspore"] = "torchreid",
    ) -> None:
        if style not in ("torchreid", "mindspore"):
            raise ValueError(f"callbacks.frozen_start.style={style!r}: use 'torchreid' or 'mindspore'")
        self.epochs = epochs
        self.open_layers = tuple(open_layers)
        self.style = style

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        children = dict(pl_module.network.named_children())  # type: ignore[union-attr, operator]
        if self.epochs and (unknown := [name for name in self.open_layers if name not in children]):
            raise ValueError(
                f"callbacks.frozen_start.open_layers: the network has no layer {unknown[0]!r}; it has"
                f" {', '.join(children)}"
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._rest(trainer, pl_module)  # a run resumed in mid-epoch has no start of that epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._rest(trainer, pl_module)
        if trainer.current_epoch == self.epochs and self.epochs:
            pl_module.network.train()  # type: ignore[union-attr, operator]
            if self.style == "mindspore":
                for optimizer in trainer.optimizers:
                    optimizer.state.clear()

    def _rest(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch < self.epochs and self.style == "torchreid":
            for layer in self._frozen_layers(pl_module):
                layer.eval()

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if trainer.current_epoch < self.epochs:
            for layer in self._frozen_layers(pl_module):
                for parameter in layer.parameters():
                    parameter.grad = None

    def _frozen_layers(self, pl_module: Any) -> list[nn.Module]:
        return [child for name, child in pl_module.network.named_children() if name not in self.open_layers]
