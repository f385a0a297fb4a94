"""Learning rates against the formulas of the published recipes."""

import math

import pytest
import torch

from reid.modules.schedules import Constant, Cosine, MultiStep, Step


def rates(schedule: Constant, *, initial: float, epochs: int, steps_per_epoch: int = 4) -> list[float]:
    """The rate of each step of a training that steps the scheduler as Lightning does."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=initial)
    scheduler = schedule.scheduler(optimizer, steps_per_epoch=steps_per_epoch)
    seen = []
    for _ in range(epochs):
        for _ in range(steps_per_epoch):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if schedule.per == "step":
                scheduler.step()
        if schedule.per == "epoch":
            scheduler.step()
    return seen


def test_step_is_torchreids_single_step() -> None:
    seen = rates(Step(60), initial=0.0015, epochs=150, steps_per_epoch=1)
    assert seen == pytest.approx([0.0015] * 60 + [0.00015] * 60 + [0.000015] * 30)


def test_multi_step_is_pamtris() -> None:
    seen = rates(MultiStep([30, 60]), initial=3e-4, epochs=120, steps_per_epoch=1)
    assert seen == pytest.approx([3e-4] * 30 + [3e-5] * 30 + [3e-6] * 60)


def test_cosine_is_mindspores_constant_within_an_epoch() -> None:
    seen = rates(Cosine(250), initial=0.001, epochs=250, steps_per_epoch=2)
    expected = [0.5 * 0.001 * (1 + math.cos(math.pi * e / 250)) for e in range(250) for _ in range(2)]
    assert seen == pytest.approx(expected)


def test_warmup_per_step_then_cosine_is_aligned_reids() -> None:
    """Six epochs from 0 to 0.05, then a cosine per step down to 3.5e-6."""
    per_epoch, last = 23, 3.5e-6
    schedule = Cosine(300, final=last / 0.05, warmup_epochs=6, per="step")
    seen = rates(schedule, initial=0.05, epochs=300, steps_per_epoch=per_epoch)
    assert seen[:3] == pytest.approx([0.0, 0.05 / 138, 2 * 0.05 / 138])
    assert seen[138] == pytest.approx(0.05)
    middle = 138 + (300 * per_epoch - 138) // 2
    assert seen[middle] == pytest.approx((0.05 + last) / 2, rel=1e-3)
    assert seen == sorted(seen[:138]) + sorted(seen[138:], reverse=True)


def test_warmup_per_epoch_never_wastes_an_epoch_at_zero() -> None:
    assert rates(Constant(warmup_epochs=4), initial=1.0, epochs=6, steps_per_epoch=1) == [
        0.25,
        0.5,
        0.75,
        1,
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Constant(per="batch"), "schedule.per='batch'"),  # type: ignore[arg-type]
        (lambda: Constant(warmup_epochs=-1), "schedule.warmup_epochs=-1"),
        (lambda: Step(0), "schedule.every=0"),
        (lambda: Cosine(5, warmup_epochs=6), "raise trainer.max_epochs"),
    ],
)
def test_mistakes_are_named(build, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build()
