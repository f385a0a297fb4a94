"""Learning-rate schedules in closed form: a factor of the initial rate for each moment of training.

A closed form has no state, so a resumed run continues with the very same rates. Epochs count from 0, those
of a frozen start (OSNet's fixbase) included, as the published recipes do.
"""

import math
from collections.abc import Sequence
from typing import Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

Per = Literal["epoch", "step"]


class Constant:
    """The initial rate throughout, after an optional linear warm-up from 0.

    Args:
        warmup_epochs: epochs in which the rate rises linearly.
        per: "epoch" changes the rate between epochs only, "step" after every batch.
    """

    def __init__(self, *, warmup_epochs: float = 0, per: Per = "epoch") -> None:
        if per not in ("epoch", "step"):
            raise ValueError(f"schedule.per={per!r}: use 'epoch' or 'step'")
        if warmup_epochs < 0:
            raise ValueError(f"schedule.warmup_epochs={warmup_epochs}: use 0 or more")
        self.warmup_epochs = warmup_epochs
        self.per = per

    def after_warmup(self, epoch: float) -> float:
        """The factor at a moment after the warm-up, in epochs since the start of training."""
        return 1.0

    def factor(self, epoch: float) -> float:
        """What the initial rate is multiplied by at ``epoch``, a fraction where ``per`` is "step".

        A warm-up per epoch takes the rates 1/n, 2/n, ..., 1, so that no epoch is spent at 0.
        """
        if epoch < self.warmup_epochs:
            reached = epoch + 1 if self.per == "epoch" else epoch
            return min(1.0, reached / self.warmup_epochs)
        return self.after_warmup(epoch)

    def scheduler(self, optimizer: Optimizer, *, steps_per_epoch: int) -> LambdaLR:
        """A torch scheduler to be stepped ``per`` epoch or step."""
        unit = steps_per_epoch if self.per == "step" else 1
        return LambdaLR(optimizer, lambda count: self.factor(count / unit))


class Step(Constant):
    """Multiplied by ``gamma`` every so many epochs (torchreid's single_step)."""

    def __init__(
        self, every: int, *, gamma: float = 0.1, warmup_epochs: float = 0, per: Per = "epoch"
    ) -> None:
        super().__init__(warmup_epochs=warmup_epochs, per=per)
        if every < 1:
            raise ValueError(f"schedule.every={every}: use 1 or more epochs")
        self.every = every
        self.gamma = gamma

    def after_warmup(self, epoch: float) -> float:
        return float(self.gamma ** int(epoch // self.every))


class MultiStep(Constant):
    """Multiplied by ``gamma`` at each milestone, in epochs."""

    def __init__(
        self, milestones: Sequence[int], *, gamma: float = 0.1, warmup_epochs: float = 0, per: Per = "epoch"
    ) -> None:
        super().__init__(warmup_epochs=warmup_epochs, per=per)
        self.milestones = sorted(milestones)
        self.gamma = gamma

    def after_warmup(self, epoch: float) -> float:
        return float(self.gamma ** sum(epoch >= milestone for milestone in self.milestones))


class Cosine(Constant):
    """Half a cosine from the end of the warm-up to ``epochs``, down to ``final`` of the initial rate."""

    def __init__(
        self, epochs: int, *, final: float = 0.0, warmup_epochs: float = 0, per: Per = "epoch"
    ) -> None:
        super().__init__(warmup_epochs=warmup_epochs, per=per)
        if epochs < warmup_epochs:
            raise ValueError(
                f"schedule.warmup_epochs={warmup_epochs} leaves nothing of {epochs} epochs: use fewer, or"
                " raise trainer.max_epochs"
            )
        self.epochs = epochs
        self.final = final

    def after_warmup(self, epoch: float) -> float:
        done = min(1.0, (epoch - self.warmup_epochs) / max(1e-9, self.epochs - self.warmup_epochs))
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done))
