"""The training loop that every architecture shares: outputs, named losses, a weighted sum."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from reid.modules.schedules import Constant


class TaughtModule(pl.LightningModule):
    """A network and what it is taught by.

    Args:
        network: images (B, C, H, W) -> what losses compare with the batch.
        losses: name -> (outputs, batch) -> scalar. Each is logged as ``train/<name>``.
        loss_weights: name -> weight in the sum; a loss of weight 0 is not computed.
        optimizer: parameters -> Optimizer (a partial).
        schedule: the learning rate over time; constant if left out.
        channels_last: keep convolutions in NHWC memory.
        compile: run the network through ``torch.compile``.

    Raises:
        ValueError: a weight without a loss, or no loss with a weight.
    """

    def __init__(
        self,
        network: nn.Module,
        losses: Mapping[str, Callable[..., Tensor]],
        *,
        loss_weights: Mapping[str, float],
        optimizer: Callable[[Iterable[Parameter]], Optimizer] | None = None,
        schedule: Constant | None = None,
        channels_last: bool = False,
        compile: bool = False,
    ) -> None:
        super().__init__()
        unknown = set(loss_weights) - set(losses)
        if unknown or not any(loss_weights.values()):
            raise ValueError(
                f"model.loss_weights={dict(loss_weights)}: give at least one of {sorted(losses)} a weight"
                " other than 0"
            )
        self.network = network
        self.losses = dict(losses)
        self.loss_weights = {name: weight for name, weight in loss_weights.items() if weight}
        for layer, teachers in self.taught_by().items():
            if self.loss_weights.keys().isdisjoint(teachers):
                network.get_submodule(layer).requires_grad_(False)  # DDP would wait for its gradients
        self.make_optimizer = optimizer
        self.schedule = schedule or Constant()
        self.channels_last = channels_last
        if channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if compile:
            self.network.compile()
        self.description: dict[str, Any] = {}  # plain values that rebuild this module; saved in checkpoints

    def taught_by(self) -> Mapping[str, Collection[str]]:
        """Layers that some losses do not teach -> names of those that do; the others learn from any loss."""
        return {}

    def inputs(self, batch: Any) -> tuple[Tensor, ...]:
        """What of a batch the network sees, the images first."""
        return (batch["image"],)

    def forward(self, image: Tensor, *more: Tensor) -> Any:
        """What the network says of (B, C, H, W) float32 images and, at times, ``more`` about them."""
        if self.channels_last:
            image = image.contiguous(memory_format=torch.channels_last)
        return self.network(image, *more)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        outputs = self(*self.inputs(batch))
        values = {name: self.losses[name](outputs, batch) for name in self.loss_weights}
        total = torch.stack([weight * values[name] for name, weight in self.loss_weights.items()]).sum()
        size = len(batch["image"])
        for name, value in {**values, "loss": total}.items():
            self.log(f"train/{name}", value.detach(), on_step=False, on_epoch=True, batch_size=size)
        return total

    def configure_optimizers(self) -> OptimizerLRScheduler:
        if self.make_optimizer is None:
            raise ValueError("this module was built for evaluation: give it an optimizer to train it")
        try:
            optimizer = self.make_optimizer(self.parameters())
        except TypeError as error:
            raise ValueError(f"the optimizer refuses its options (optimizer.*): {error}") from error
        # asked of the data module: the trainer makes its loaders after a checkpoint has restored its progress
        batches = len(self.trainer.datamodule.train_batches())  # type: ignore[attr-defined]
        steps = -(-batches // self.trainer.accumulate_grad_batches)
        scheduler = self.schedule.scheduler(optimizer, steps_per_epoch=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self.schedule.per},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["reid"] = dict(self.description)
