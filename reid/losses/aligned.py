"""AlignedReID++'s local loss: triplets mined by the global feature, measured by their aligned stripes."""

from torch import Tensor, nn

from reid.contracts import Batch, Features
from reid.evaluation.dmli import aligned_distance
from reid.losses.triplet import hinge, mine_hardest, pairwise_distance


class AlignedLoss(nn.Module):
    """Luo et al., "AlignedReID++" (2019), section 3.3: DMLI between images that are hard by ``pooled``."""

    def __init__(self, *, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, features: Features, batch: Batch) -> Tensor:
        """The mean hinge over the batch. Raises ValueError where the network gave no stripes."""
        if features.stripes is None:
            raise ValueError(
                "features.stripes is None: the aligned loss needs a network with a local branch. Use"
                " model=aligned_reid, or leave the loss out with model.loss_weights.aligned=0"
            )
        mined = mine_hardest(pairwise_distance(features.pooled.detach()), batch["identity"])
        return hinge(aligned_distance(features.stripes, features.stripes), mined, margin=self.margin)
