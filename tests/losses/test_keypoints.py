"""The loss of heat maps beside the published sum over keypoints."""

import pytest
import torch

from reid.losses import KeypointLoss
from reid.losses.keypoints import MINDSPORE


def test_the_published_sum() -> None:
    """(1 / 36) sum of 0.5 MSE(w pred, w true), the mean over pictures and pixels."""
    torch.manual_seed(0)
    drawn, target = torch.randn(4, 36, 8, 8, requires_grad=True), torch.rand(4, 36, 8, 8)
    weight = (torch.rand(4, 36) < 0.6).float()
    total = torch.zeros(())
    for k in range(36):
        w = weight[:, k, None]
        total = total + 0.5 * torch.nn.functional.mse_loss(
            w * drawn[:, k].flatten(1), w * target[:, k].flatten(1)
        )
    loss = KeypointLoss()(drawn, {"target": target, "weight": weight})  # type: ignore[typeddict-item]
    assert loss.item() == pytest.approx(total.item() / 36, rel=1e-5)
    loss.backward()
    assert drawn.grad is not None
    assert not drawn.grad[weight == 0].any()


def test_the_scale_of_the_mindspore_port() -> None:
    """Its published loss of 92.459 is 5.5e-5 in PAMTRI's units (recipes 2)."""
    assert KeypointLoss(scale=MINDSPORE).scale == 1_679_616
    assert KeypointLoss(scale=MINDSPORE).scale == 1_679_616
    batch = {"target": torch.zeros(1, 36, 4, 4), "weight": torch.ones(1, 36)}
    ones = torch.ones(1, 36, 4, 4)
    assert KeypointLoss()(ones, batch).item() == 0.5  # type: ignore[arg-type]
    assert KeypointLoss(scale=MINDSPORE)(ones, batch).item() == 0.5 * 36**4  # type: ignore[arg-type]


def test_a_batch_without_targets() -> None:
    with pytest.raises(ValueError, match="has no target"):
        KeypointLoss()(torch.ones(1, 36, 4, 4), {})  # type: ignore[typeddict-item]
