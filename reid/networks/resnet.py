"""ResNet-50 without its head: the trunk of AlignedReID++.

He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), with torchvision's details: a stage's
stride sits on the 3x3 convolution of its first block, and the weights begin as torchvision's do.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from reid.networks.padding import EPSILON, halving_conv, halving_pool

DIM = 2048  # channels of the last map
EXPANSION = 4  # a block's width over that of its 3x3 convolution
CHILDREN = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")  # torchvision's names


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, and around them the input, projected where the shape changes (figure 5, right)."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        padding: str = "torch",
        epsilon: float = EPSILON,
    ) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width, eps=epsilon)
        if stride == 1:  # where every padding is the same
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        else:
            self.conv2 = halving_conv(width, width, 3, padding=padding)
        self.bn2 = nn.BatchNorm2d(width, eps=epsilon)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels, eps=epsilon)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(out_channels, eps=epsilon),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, width, H, W)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)  # (B, width, H / stride, W / stride)
        y = self.bn3(self.conv3(y))  # (B, 4 width, H / stride, W / stride)
        return F.relu(y + self.downsample(x), inplace=True)


def stage(in_channels: int, width: int, *, blocks: int, stride: int, **details: Any) -> nn.Sequential:
    """``blocks`` bottlenecks, the first of which changes the shape; ``details`` are those of `Bottleneck`."""
    first = Bottleneck(in_channels, width, stride=stride, **details)
    return nn.Sequential(first, *(Bottleneck(EXPANSION * width, width, **details) for _ in range(blocks - 1)))


def resnet50(*, in_channels: int = 3, padding: str = "torch", epsilon: float = EPSILON) -> nn.Sequential:
    """(B, C, H, W) to (B, 2048, H / 32, W / 32); children numbered in the order of `CHILDREN`.

    Args:
        in_channels: C.
        padding: of the layers that halve a map: "torch", or "same" as in MindSpore's ResNet-50.
        epsilon: of the norms: 1e-4 in MindSpore's.
    """
    details: dict[str, Any] = {"padding": padding, "epsilon": epsilon}
    trunk = nn.Sequential(
        halving_conv(in_channels, 64, 7, padding=padding),  # (B, 64, H / 2, W / 2)
        nn.BatchNorm2d(64, eps=epsilon),
        nn.ReLU(inplace=True),
        halving_pool(padding=padding),  # (B, 64, H / 4, W / 4)
        stage(64, 64, blocks=3, stride=1, **details),  # (B, 256, H / 4, W / 4)
        stage(256, 128, blocks=4, stride=2, **details),  # (B, 512, H / 8, W / 8)
        stage(512, 256, blocks=6, stride=2, **details),  # (B, 1024, H / 16, W / 16)
        stage(1024, 512, blocks=3, stride=2, **details),  # (B, 2048, H / 32, W / 32)
    )
    for module in trunk.modules():  # norms are 1 and 0 already
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return trunk


def numbered(weights: Mapping[str, Tensor], *, prefix: str) -> OrderedDict[str, Tensor]:
    """A torchvision ResNet's weights by the names of `resnet50` under ``prefix``; its ``fc`` as it is."""
    numbers = {name: str(number) for number, name in enumerate(CHILDREN)}
    named = ((*name.partition("."), weight) for name, weight in weights.items())
    return OrderedDict(
        (f"{prefix}{numbers[child]}.{rest}" if child in numbers else f"{child}{dot}{rest}", weight)
        for child, dot, rest, weight in named
    )
