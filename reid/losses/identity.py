"""Cross-entropy over the training identities, with label smoothing."""

import torch.nn.functional as F
from torch import Tensor, nn

from reid.contracts import Batch, Features


class IdentityLoss(nn.Module):
    """Cross-entropy against (1 - smoothing) of the true identity and smoothing / I of every one of the I.

    Szegedy et al., "Rethinking the Inception Architecture" (CVPR 2016), section 7; 0.1 is torchreid's recipe.
    Logits of zero cost ln I at any smoothing.
    """

    def __init__(self, *, smoothing: float = 0.1) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """The mean over the batch, in nats. Raises ValueError where the network gave no logits."""
        if features.logits is None:
            raise ValueError(
                "features.logits is None: networks give identity scores in training mode only. "
                "Call network.train(), or leave the identity loss out for a network without a classifier"
            )
        return F.cross_entropy(features.logits, batch["identity"], label_smoothing=self.smoothing)
