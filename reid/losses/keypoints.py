"""Mean squared error of heat maps, over keypoints that are known."""

from torch import Tensor, nn

from reid.contracts import PoseBatch

MINDSPORE = 36**4  # the MindSpore port multiplies a sum by 36^3 where the original divides by 36


class KeypointLoss(nn.Module):
    """A mean over 36 keypoints of half their maps' squared error, itself a mean over pictures and pixels.

    Maps of keypoints that are not visible count as drawn without error, and count (PAMTRI's PoseEstNet).

    Args:
        scale: of the value: 1 is PAMTRI's; 1679616 = 36^4 is that of the MindSpore port, whose published
            losses (92.5 on Ascend, 74.5 on a GPU) are otherwise 5.5e-5 and 4.4e-5.
    """

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, heatmaps: Tensor, batch: PoseBatch) -> Tensor:
        """The mean over all (B, 36, h, w). Raises ValueError for a batch without targets."""
        if "target" not in batch:
            raise ValueError("the batch has no target: only training batches of a pose data module have one")
        error = (heatmaps.float() - batch["target"]).square().mean((2, 3))  # (B, 36)
        return 0.5 * self.scale * (batch["weight"] * error).mean()
