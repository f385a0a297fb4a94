"""Cross-entropy over the values of each attribute, such as a vehicle's color and type."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid.contracts import Batch, Features


class AttributeLoss(nn.Module):
    """The sum over attributes of their cross-entropy (Tang et al., "PAMTRI", ICCV 2019, section 3.2).

    Scores of zero cost the sum of ln A over attributes of A values each, at any smoothing.

    Args:
        smoothing: how much of the truth is shared among all values; published is none.
    """

    def __init__(self, *, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """The sum of means over the batch, in nats.

        Raises:
            ValueError: the network scores no attributes, or one that the batch does not tell.
        """
        known = batch["attributes"]
        unknown = [name for name in features.attributes if name not in known]
        if unknown or not features.attributes:
            raise ValueError(
                f"the network scores {sorted(features.attributes)}, the batch tells {sorted(known)}: the"
                " attribute loss needs both. Use data=veri, whose vehicles have attributes, and"
                " model=multitask, or leave the loss out with model.attributes=false"
            )
        return torch.stack(
            [
                F.cross_entropy(scores, known[name], label_smoothing=self.smoothing)
                for name, scores in features.attributes.items()
            ]
        ).sum()
