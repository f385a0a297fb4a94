"""OSNet, the omni-scale network: every block sees four scales and weighs them per channel.

Zhou et al., "Omni-Scale Feature Learning for Person Re-Identification" (ICCV 2019), and OSNet-AIN from
"Learning Generalisable Omni-Scale Representations for Person Re-Identification" (TPAMI 2021). Weight names
and initialisation are those of torchreid, so its published files load.

Shapes at the line's end: H x W is the input's size; 256 x 128 is customary and any other works.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from reid.contracts import Features

WIDTHS = (64, 256, 384, 512)  # x1_0; the narrower ones are 48-192-288-384, 32-128-192-256 and 16-64-96-128


def convolution(
    in_channels: int,
    out_channels: int,
    *,
    kernel_size: int = 1,
    stride: int = 1,
    instance_norm: bool = False,
    relu: bool = True,
) -> nn.Sequential:
    """Convolution without bias, "same" padding, then a norm and, unless ``relu`` is off, a ReLU."""
    norm = nn.InstanceNorm2d(out_channels, affine=True) if instance_norm else nn.BatchNorm2d(out_channels)
    padding = kernel_size // 2
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=False),
        bn=norm,
    )
    if relu:
        layers["relu"] = nn.ReLU(inplace=True)
    return nn.Sequential(layers)


def light_convolution(channels: int) -> nn.Sequential:
    """Lite 3x3: a 1x1 convolution, then a depth-wise 3x3 one, norm and ReLU (OSNet, section 3.1)."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, channels, 1, bias=False),
            conv2=nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            bn=nn.BatchNorm2d(channels),
            relu=nn.ReLU(inplace=True),
        )
    )


def stream(channels: int, depth: int) -> nn.Sequential:
    """``depth`` lite 3x3 layers: a receptive field of 2 * depth + 1."""
    return nn.Sequential(*(light_convolution(channels) for _ in range(depth)))


def transition(channels: int) -> nn.Sequential:
    """What ends stages two and three: a 1x1 convolution, then halving by the mean."""
    return nn.Sequential(convolution(channels, channels), nn.AvgPool2d(2, stride=2))


def shortcut(in_channels: int, out_channels: int) -> nn.Module:
    """The way around a block, projected where the block changes the width."""
    if in_channels == out_channels:
        return nn.Identity()
    return convolution(in_channels, out_channels, relu=False)


class ChannelGate(nn.Module):
    """The aggregation gate: scales every channel of a stream by what the whole map says (section 3.2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 16, 1)
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.fc1(F.adaptive_avg_pool2d(x, 1)))  # (B, C / 16, 1, 1)
        gate: Tensor = self.fc2(hidden).sigmoid()  # (B, C, 1, 1)
        return x * gate  # (B, C, H, W)


class OSBlock(nn.Module):
    """Omni-scale residual block: four streams behind one shared gate (section 3.2).

    With ``instance_norm`` the sum is instance-normalised before its ReLU: the block of OSNet-IBN.
    """

    def __init__(self, in_channels: int, out_channels: int, *, instance_norm: bool = False) -> None:
        super().__init__()
        middle = out_channels // 4
        self.conv1 = convolution(in_channels, middle)
        self.conv2a = light_convolution(middle)  # sees 3 x 3
        self.conv2b = stream(middle, 2)  # 5 x 5
        self.conv2c = stream(middle, 3)  # 7 x 7
        self.conv2d = stream(middle, 4)  # 9 x 9
        self.gate = ChannelGate(middle)
        self.conv3 = convolution(middle, out_channels, relu=False)
        self.downsample = shortcut(in_channels, out_channels)
        self.IN = nn.InstanceNorm2d(out_channels, affine=True) if instance_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)  # (B, out / 4, H, W)
        a, b, c, d = self.conv2a(y), self.conv2b(y), self.conv2c(y), self.conv2d(y)
        y = self.gate(a) + self.gate(b) + self.gate(c) + self.gate(d)
        return F.relu(self.IN(self.conv3(y) + self.downsample(x)), inplace=True)  # (B, out, H, W)


class AINBlock(nn.Module):
    """OSNet-AIN's block; with ``instance_norm`` the residual is instance-normalised before the sum."""

    def __init__(self, in_channels: int, out_channels: int, *, instance_norm: bool = False) -> None:
        super().__init__()
        middle = out_channels // 4
        self.conv1 = convolution(in_channels, middle)
        self.conv2 = nn.ModuleList(
            nn.Sequential(OrderedDict(layers=stream(middle, depth))) for depth in (1, 2, 3, 4)
        )
        self.gate = ChannelGate(middle)
        if instance_norm:
            self.conv3 = nn.Sequential(OrderedDict(conv=nn.Conv2d(middle, out_channels, 1, bias=False)))
            self.IN: nn.Module = nn.InstanceNorm2d(out_channels, affine=True)
        else:
            self.conv3 = convolution(middle, out_channels, relu=False)
            self.IN = nn.Identity()
        self.downsample = shortcut(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)  # (B, out / 4, H, W)
        a, b, c, d = (scale(y) for scale in self.conv2)
        y = self.gate(a) + self.gate(b) + self.gate(c) + self.gate(d)
        return F.relu(self.IN(self.conv3(y)) + self.downsample(x), inplace=True)  # (B, out, H, W)


class OSNet(nn.Module):
    """OSNet (section 3.3) and, with ``instance_norm``, OSNet-IBN for unseen domains.

    ``channels`` are the widths of the four stages, ``feature_dim`` the embedding's length (512 at every
    published width), ``in_channels`` more than 3 when guides are stacked on the image.
    """

    def __init__(
        self,
        num_identities: int,
        *,
        channels: Sequence[int] = WIDTHS,
        feature_dim: int = 512,
        in_channels: int = 3,
        instance_norm: bool = False,
    ) -> None:
        super().__init__()
        c1, c2, c3, c4 = channels
        ibn = instance_norm
        self.conv1 = convolution(in_channels, c1, kernel_size=7, stride=2, instance_norm=ibn)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Sequential(
            OSBlock(c1, c2, instance_norm=ibn), OSBlock(c2, c2, instance_norm=ibn), transition(c2)
        )
        self.conv3 = nn.Sequential(OSBlock(c2, c3), OSBlock(c3, c3), transition(c3))
        self.conv4 = nn.Sequential(OSBlock(c3, c4), OSBlock(c4, c4))
        self.conv5 = convolution(c4, c4)
        self.fc = embedding_layer(c4, feature_dim)
        self.classifier = nn.Linear(feature_dim, num_identities)
        initialise(self)

    def forward(self, images: Tensor) -> Features:
        """(B, C, H, W) to an embedding (B, 512), never negative, and in training to logits (B, I)."""
        x = self.conv1(images)  # (B, 64, H / 2, W / 2)
        x = self.maxpool(x)  # (B, 64, H / 4, W / 4)
        x = self.conv2(x)  # (B, 256, H / 8, W / 8)
        x = self.conv3(x)  # (B, 384, H / 16, W / 16)
        x = self.conv4(x)  # (B, 512, H / 16, W / 16)
        x = self.conv5(x)  # (B, 512, H / 16, W / 16)
        return describe(x, self.fc, self.classifier)


class OSNetAIN(nn.Module):
    """OSNet-AIN: instance norm in the blocks where the authors' search put it; arguments as in `OSNet`."""

    def __init__(
        self,
        num_identities: int,
        *,
        channels: Sequence[int] = WIDTHS,
        feature_dim: int = 512,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        c1, c2, c3, c4 = channels
        self.conv1 = convolution(in_channels, c1, kernel_size=7, stride=2, instance_norm=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Sequential(AINBlock(c1, c2, instance_norm=True), AINBlock(c2, c2, instance_norm=True))
        self.pool2 = transition(c2)
        self.conv3 = nn.Sequential(AINBlock(c2, c3), AINBlock(c3, c3, instance_norm=True))
        self.pool3 = transition(c3)
        self.conv4 = nn.Sequential(AINBlock(c3, c4, instance_norm=True), AINBlock(c4, c4))
        self.conv5 = convolution(c4, c4)
        self.fc = embedding_layer(c4, feature_dim)
        self.classifier = nn.Linear(feature_dim, num_identities)
        initialise(self)

    def forward(self, images: Tensor) -> Features:
        """(B, C, H, W) to an embedding (B, 512), never negative, and in training to logits (B, I)."""
        x = self.maxpool(self.conv1(images))  # (B, 64, H / 4, W / 4)
        x = self.pool2(self.conv2(x))  # (B, 256, H / 8, W / 8)
        x = self.pool3(self.conv3(x))  # (B, 384, H / 16, W / 16)
        x = self.conv5(self.conv4(x))  # (B, 512, H / 16, W / 16)
        return describe(x, self.fc, self.classifier)


def embedding_layer(in_features: int, feature_dim: int) -> nn.Sequential:
    """The last layer before the classifier: linear, batch norm, ReLU."""
    return nn.Sequential(
        nn.Linear(in_features, feature_dim), nn.BatchNorm1d(feature_dim), nn.ReLU(inplace=True)
    )


def describe(maps: Tensor, fc: nn.Module, classifier: nn.Module) -> Features:
    """Maps (B, C, h, w) to features; the embedding is what retrieval, triplets and classifier all see."""
    pooled = F.adaptive_avg_pool2d(maps, 1).flatten(1)  # (B, C)
    embedding = fc(pooled)  # (B, 512)
    # The classifier's own mode, so that logits stay when the rest is frozen in evaluation mode (fixbase).
    logits = classifier(embedding) if classifier.training else None  # (B, I)
    return Features(embedding=embedding, pooled=embedding, logits=logits)


def initialise(network: nn.Module) -> None:
    """Convolutions Kaiming (fan out), linear layers N(0, 0.01), norms 1 and 0 (torchreid recipe)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
