"""MultiTaskNet: a vehicle's identity, color and type from its image and, on request, its pose.

Tang et al., "PAMTRI: Pose-Aware Multi-Task Re-Identification for Vehicles" (ICCV 2019), section 3.2. Weight
names are those of the authors' program, so its checkpoints load.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid.contracts import Features
from reid.networks.densenet import DIM, densenet121, renamed

ATTRIBUTE_DIM = 512
KEYPOINTS = 36 * 3  # x, y and confidence of each
HEATMAPS, SEGMENTS = 36, 13  # planes that follow the image's


class MultiTaskNet(nn.Module):
    """DenseNet-121 and a head for identities, and one for every attribute.

    Args:
        num_identities: how many the classifier tells apart.
        attributes: name -> how many values it has. A name becomes part of its layers': VeRi's ``color`` and
            ``type`` give the published ``fc_vcolor``, ``classifier_vtype`` ...
        heatmap: 36 planes of keypoint heatmaps follow the image's three.
        segment: 13 planes of vehicle faces follow those.
        keypoints: the heads see the keypoints beside the pooled map.
        multitask: heads for the attributes. Without them, or without attributes, identities are told by the
            pooled map itself, after one layer if there are keypoints.
        pool_padding: of the trunk's maximum: "torch", or "same" for weights of MindSpore's.

    Raises:
        ValueError: another padding, an attribute whose name cannot be part of a layer's, or one without
            values.
    """

    TRUNK: ClassVar[str] = "base."
    MINDSPORE: ClassVar[dict[str, Any]] = {"pool_padding": "same"}  # what its seed computes with

    def __init__(
        self,
        num_identities: int,
        *,
        attributes: Mapping[str, int],
        heatmap: bool = False,
        segment: bool = False,
        keypoints: bool = False,
        multitask: bool = True,
        pool_padding: str = "torch",
    ) -> None:
        super().__init__()
        self.attributes = dict(attributes) if multitask else {}
        self.in_channels = 3 + HEATMAPS * heatmap + SEGMENTS * segment
        self.keypoints = keypoints
        self.pool_padding = pool_padding
        self.base = densenet121(in_channels=self.in_channels, pool_padding=pool_padding)
        if self.in_channels > 3:
            nn.init.normal_(self.base.get_parameter("conv0.weight"), std=0.02)
        width = DIM + KEYPOINTS * keypoints
        if self.attributes:
            self.fc_vid = nn.Linear(width, DIM)
        elif keypoints:
            self.fc = nn.Linear(width, DIM)
        self.classifier_vid = nn.Linear(DIM, num_identities)
        for name, values in self.attributes.items():
            if not name.isidentifier() or name == "id" or values < 1:
                raise ValueError(
                    f"network.attributes={{{name}: {values}}}: use letters, digits and _ for the name, other"
                    " than id, and 1 or more values"
                )
            self.add_module(f"fc_v{name}", nn.Linear(width, ATTRIBUTE_DIM))
            self.add_module(f"classifier_v{name}", nn.Linear(ATTRIBUTE_DIM, values))

    def forward(self, images: Tensor, keypoints: Tensor | None = None) -> Features:
        """(B, C, H, W) to an embedding (B, 1024), scores (B, A) of each attribute and logits (B, I).

        Logits are given in training alone, attributes always.

        Args:
            images: normalised; C is ``in_channels``.
            keypoints: (B, 36, 3) as in `Batch`; not looked at by a network without ``keypoints``.

        Raises:
            ValueError: the network needs keypoints and got none.
        """
        maps = self.base(images)  # (B, 1024, H / 32, W / 32)
        pooled = F.adaptive_avg_pool2d(maps, 1).flatten(1)  # (B, 1024)
        if self.keypoints:
            if keypoints is None:
                raise ValueError(
                    "keypoints=None: this network sees them beside the image. Set data.keypoints=true for"
                    " batches that carry them, or build the network with keypoints=False"
                )
            pooled = torch.cat([pooled, keypoints.flatten(1)], 1)  # (B, 1132): x0, y0, c0, x1, ...
        if self.attributes:
            embedding = activated(self.fc_vid(pooled))  # (B, 1024)
        else:
            embedding = activated(self.fc(pooled)) if self.keypoints else pooled  # (B, 1024)
        # The classifier's own mode, so that logits stay when the rest is frozen in evaluation mode (fixbase).
        logits = self.classifier_vid(embedding) if self.classifier_vid.training else None  # (B, I)
        scores = {name: self.score(name, pooled) for name in self.attributes}
        return Features(embedding=embedding, pooled=embedding, logits=logits, attributes=scores)

    def score(self, name: str, pooled: Tensor) -> Tensor:
        """(B, 1024 or 1132) to scores (B, A) of an attribute's values."""
        hidden = activated(getattr(self, f"fc_v{name}")(pooled))  # (B, 512)
        scores: Tensor = getattr(self, f"classifier_v{name}")(hidden)
        return scores

    @staticmethod
    def from_published(weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """By our names: a DenseNet-121's become the trunk's, MindSpore's layers get torchvision's names."""
        return renamed(weights, prefix=MultiTaskNet.TRUNK)


def activated(x: Tensor) -> Tensor:
    return F.leaky_relu(x, negative_slope=0.01, inplace=True)
