"""AlignedReID++: a global feature to compare people by, and horizontal stripes to be aligned.

Luo et al., "AlignedReID++: Dynamically matching local information for person re-identification"
(Pattern Recognition 94, 2019). Weight names are those of the authors' program, so its checkpoints load.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid.contracts import Features
from reid.networks.padding import EPSILON
from reid.networks.resnet import DIM, numbered, resnet50


class AlignedReID(nn.Module):
    """ResNet-50 with a global and a local branch (section 3.1).

    Args:
        num_identities: how many the classifier tells apart.
        local_dim: channels of a stripe in training.
        in_channels: more than 3 when guides are stacked on the image.
        learnt_test_branch: compare the stripes that training taught. As published, evaluation leaves them
            out and takes those of the raw 2048-channel map.
        padding: of the trunk's layers that halve a map: "torch", or "same" for weights of MindSpore's.
        epsilon: of the trunk's norms; 1e-4 for weights of MindSpore's.

    Raises:
        ValueError: another padding.
    """

    TRUNK: ClassVar[str] = "base."
    MINDSPORE: ClassVar[dict[str, Any]] = {"padding": "same", "epsilon": 1e-4}  # what its seed computes with

    def __init__(
        self,
        num_identities: int,
        *,
        local_dim: int = 128,
        in_channels: int = 3,
        learnt_test_branch: bool = False,
        padding: str = "torch",
        epsilon: float = EPSILON,
    ) -> None:
        super().__init__()
        self.learnt_test_branch = learnt_test_branch
        self.padding, self.epsilon = padding, epsilon
        self.base = resnet50(in_channels=in_channels, padding=padding, epsilon=epsilon)
        self.bn = nn.BatchNorm2d(DIM)
        self.conv1 = nn.Conv2d(DIM, local_dim, 1)
        self.classifier = nn.Linear(DIM, num_identities)

    def forward(self, images: Tensor) -> Features:
        """(B, C, H, W) to an embedding (B, 2048), stripes (B, d, H / 32) and, in training, logits (B, I).

        A stripe is of unit length; d is ``local_dim`` in training, 2048 in evaluation.
        """
        maps = self.base(images)  # (B, 2048, H / 32, W / 32)
        embedding = F.adaptive_avg_pool2d(maps, 1).flatten(1)  # (B, 2048)
        # The classifier's own mode, so that logits stay when the rest is frozen in evaluation mode (fixbase).
        logits = self.classifier(embedding) if self.classifier.training else None  # (B, I)
        stripes = self.learnt_stripes(maps) if self.training or self.learnt_test_branch else maps.amax(3)
        return Features(embedding=embedding, pooled=embedding, logits=logits, stripes=unit(stripes))

    def learnt_stripes(self, maps: Tensor) -> Tensor:
        """Maps (B, 2048, h, w) to (B, local_dim, h): norm, ReLU, maximum of each row, 1x1 convolution."""
        rows = F.relu(self.bn(maps)).amax(3, keepdim=True)  # (B, 2048, h, 1)
        stripes: Tensor = self.conv1(rows)  # (B, local_dim, h, 1)
        return stripes.squeeze(3)

    @staticmethod
    def from_published(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Weights by our names, from a torchvision ResNet-50, the authors' checkpoint or MindSpore's two.

        Those are MindSpore's ResNet-50, which is torchvision's but for ``down_sample_layer`` and
        ``end_point``, and the seed's AlignedReID++, which has one as ``base``.
        """
        weights = {name.replace(".down_sample_layer.", ".downsample."): w for name, w in weights.items()}
        # One file as a whole: torchvision's conv1 is the stem, the authors' conv1 makes stripes.
        if "layer1.0.conv1.weight" in weights:
            return numbered(weights, prefix=AlignedReID.TRUNK)
        if "base.layer1.0.conv1.weight" not in weights:
            return weights
        trunk = {name.removeprefix("base."): w for name, w in weights.items() if name.startswith("base.")}
        heads = {
            re.sub(r"^end_point\.", "classifier.", name): w
            for name, w in weights.items()
            if not name.startswith("base.")
        }
        return numbered(trunk, prefix=AlignedReID.TRUNK) | heads


def unit(stripes: Tensor) -> Tensor:
    """(B, d, S) with channels scaled to length 1, in float32 whatever autocast says."""
    return F.normalize(stripes.to(torch.promote_types(stripes.dtype, torch.float32)), dim=1, eps=1e-6)
