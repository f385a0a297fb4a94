"""DenseNet-121 without its head: the trunk of MultiTaskNet.

Huang et al., "Densely Connected Convolutional Networks" (CVPR 2017), with torchvision's names and initial
weights: its ``features``, which end with a norm and no ReLU.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid.networks.padding import halving_pool

DIM = 1024  # channels of the last map
GROWTH = 32  # channels that a layer adds
BOTTLENECK = 4  # the width of a layer's 1x1 convolution over its growth
DEPTHS = (6, 12, 24, 16)  # layers of the four blocks
# Older files of torchvision name a layer's parts norm.1, conv.1, norm.2 and conv.2.
DOTTED = re.compile(r"(?<=denselayer)(\d+\.(?:norm|conv))\.(?=[12]\.)")
# MindSpore counts a block's layers from 0 in a list, and puts a transition's parts into a cell of their own.
CELL, PARTS = re.compile(r"\bcell_list\.(\d+)(?=\.)"), re.compile(r"\b(transition\d)\.features(?=\.)")


class DenseLayer(nn.Module):
    """What came before, and beside it what a 1x1 and a 3x3 convolution make of it (DenseNet-B, section 3)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, BOTTLENECK * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * GROWTH)
        self.conv2 = nn.Conv2d(BOTTLENECK * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x), inplace=True))  # (B, 128, H, W)
        y = self.conv2(F.relu(self.norm2(y), inplace=True))  # (B, 32, H, W)
        return torch.cat([x, y], 1)  # (B, C + 32, H, W)


def dense_block(in_channels: int, *, depth: int) -> nn.Sequential:
    """``depth`` layers, each of which sees all before it: (B, C, H, W) to (B, C + 32 depth, H, W)."""
    layers = (DenseLayer(in_channels + GROWTH * number) for number in range(depth))
    return nn.Sequential(OrderedDict((f"denselayer{n}", layer) for n, layer in enumerate(layers, start=1)))


def transition(channels: int) -> nn.Sequential:
    """Half the channels at half the size: (B, C, H, W) to (B, C / 2, H / 2, W / 2)."""
    return nn.Sequential(
        OrderedDict(
            norm=nn.BatchNorm2d(channels),
            relu=nn.ReLU(inplace=True),
            conv=nn.Conv2d(channels, channels // 2, 1, bias=False),
            pool=nn.AvgPool2d(2, stride=2),
        )
    )


def densenet121(*, in_channels: int = 3, pool_padding: str = "torch") -> nn.Sequential:
    """(B, C, H, W) to (B, 1024, H / 32, W / 32); H and W at least 32.

    Args:
        in_channels: C.
        pool_padding: "torch", or "same" as in MindSpore's DenseNet-121, whose convolutions pad as here.
    """
    d1, d2, d3, d4 = DEPTHS
    trunk = nn.Sequential(
        OrderedDict(
            conv0=nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False),  # (B, 64, H / 2, W / 2)
            norm0=nn.BatchNorm2d(64),
            relu0=nn.ReLU(inplace=True),
            pool0=halving_pool(padding=pool_padding),  # (B, 64, H / 4, W / 4)
            denseblock1=dense_block(64, depth=d1),  # (B, 256, H / 4, W / 4)
            transition1=transition(256),  # (B, 128, H / 8, W / 8)
            denseblock2=dense_block(128, depth=d2),  # (B, 512, H / 8, W / 8)
            transition2=transition(512),  # (B, 256, H / 16, W / 16)
            denseblock3=dense_block(256, depth=d3),  # (B, 1024, H / 16, W / 16)
            transition3=transition(1024),  # (B, 512, H / 32, W / 32)
            denseblock4=dense_block(512, depth=d4),  # (B, 1024, H / 32, W / 32)
            norm5=nn.BatchNorm2d(DIM),
        )
    )
    for module in trunk.modules():  # norms are 1 and 0 already
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return trunk


def renamed(weights: Mapping[str, Tensor], *, prefix: str) -> OrderedDict[str, Tensor]:
    """Any DenseNet's weights, torchvision's or MindSpore's, by the names of `densenet121` under ``prefix``.

    What is not of its ``features`` keeps its name, its ``classifier`` among them.
    """
    features = "features."
    return OrderedDict(
        (prefix + renamed_layer(name.removeprefix(features)), weight)
        if name.startswith(features)
        else (renamed_layer(name), weight)
        for name, weight in weights.items()
    )


def renamed_layer(name: str) -> str:
    """The name of a block's or a transition's part as torchvision has it now."""
    name = CELL.sub(lambda found: f"denselayer{int(found[1]) + 1}", name)
    return PARTS.sub(r"\1", DOTTED.sub(r"\1", name))
