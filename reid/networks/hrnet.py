"""HRNet without its head: branches of halving size side by side, which exchange what they see.

Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation" (CVPR 2019), with the
names that the published weights have.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

STEM = 64  # channels of the two first convolutions
LAYER1 = 256  # channels that the first stage leaves
BLOCKS = 4  # residual blocks a branch, and of the first stage
MODULES = (1, 4, 3)  # exchanges of the second, third and fourth stage


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al., CVPR 2016): (B, C, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + x, inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside the identity, or a 1x1 in its place: to (B, 256, H, W)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, STEM, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.conv2 = conv3x3(STEM, STEM)
        self.bn2 = nn.BatchNorm2d(STEM)
        self.conv3 = nn.Conv2d(STEM, LAYER1, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(LAYER1)
        if in_channels != LAYER1:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, LAYER1, 1, bias=False), nn.BatchNorm2d(LAYER1)
            )
        else:
            self.downsample = nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, 64, H, W)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)  # (B, 64, H, W)
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x), inplace=True)


class Exchange(nn.Module):
    """Each branch by itself, then each of them the sum of all, brought to its size (section 3, "repeated
    multi-scale fusion").

    Args:
        channels: of the branches, the largest map first.
        outputs: how many branches the next module asks for.
    """

    def __init__(self, channels: Sequence[int], *, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(BLOCKS))) for width in channels
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(fuse(channels, source=j, target=i) for j in range(len(channels)))
            for i in range(outputs)
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        maps = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        fused = []
        for layers in self.fuse_layers:
            assert isinstance(layers, nn.ModuleList)
            total = layers[0](maps[0])
            for layer, x in zip(layers[1:], maps[1:], strict=True):
                total = total + layer(x)
            fused.append(F.relu(total, inplace=True))
        return fused


class HRNet(nn.Module):
    """(B, 3, H, W) to a map of each size: (B, W, H / 4, W / 4), (B, 2 W, H / 8, W / 8), ...

    Args:
        width: channels of the largest branch; published are 32 and 48.
        modules: exchanges of the second, third and fourth stage.
        outputs: branches that the last exchange leaves, the largest map first.

    Raises:
        ValueError: a width below 1, or other than three numbers of modules.
    """

    def __init__(self, width: int = 32, *, modules: Sequence[int] = MODULES, outputs: int = 4) -> None:
        super().__init__()
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"model.width={width!r}: use a whole number of channels, as 48, 32 or 16")
        if len(modules) != len(MODULES) or min(modules) < 1:
            raise ValueError(
                f"model.modules={list(modules)}: use three numbers of 1 or more, as {list(MODULES)}"
            )
        w2, w3, w4 = ([width * 2**branch for branch in range(count)] for count in (2, 3, 4))
        self.conv1 = conv3x3(3, STEM, stride=2)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.conv2 = conv3x3(STEM, STEM, stride=2)
        self.bn2 = nn.BatchNorm2d(STEM)
        self.layer1 = nn.Sequential(*(Bottleneck(LAYER1 if n else STEM) for n in range(BLOCKS)))
        self.transition1 = transition([LAYER1], w2)
        self.stage2 = stage(w2, modules=modules[0])
        self.transition2 = transition(w2, w3)
        self.stage3 = stage(w3, modules=modules[1])
        self.transition3 = transition(w3, w4)
        self.stage4 = stage(w4, modules=modules[2], outputs=outputs)
        self.width = width

    def maps(self, x: Tensor) -> list[Tensor]:
        """(B, 3, H, W), H and W multiples of 32, to the maps of the branches that are asked for."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)  # (B, 64, H / 2, W / 2)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)  # (B, 64, H / 4, W / 4)
        x = self.layer1(x)  # (B, 256, H / 4, W / 4)
        maps = [grow(x) for grow in self.transition1]  # width and 2 width channels, H / 4 and H / 8
        maps = self.stage2(maps)
        maps = widened(maps, self.transition2)  # and 4 width at H / 16
        maps = self.stage3(maps)
        maps = widened(maps, self.transition3)  # and 8 width at H / 32
        largest_first: list[Tensor] = self.stage4(maps)
        return largest_first


def widened(maps: list[Tensor], growth: nn.ModuleList) -> list[Tensor]:
    """The maps, and one more of half the size, made of the smallest."""
    last = len(maps) - 1
    return [grow(maps[min(branch, last)]) for branch, grow in enumerate(growth)]


def conv3x3(in_channels: int, channels: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)


def transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """From the branches of one stage to those of the next: a branch stays, or gets other channels.

    One that is new comes from the smallest map, whose size it halves.
    """
    layers: list[nn.Module] = []
    for branch, channels in enumerate(after):
        if branch >= len(before):
            halve = conv3x3(before[-1], channels, stride=2)
            layers.append(
                nn.Sequential(nn.Sequential(halve, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)))
            )
        elif before[branch] != channels:
            change = conv3x3(before[branch], channels)
            layers.append(nn.Sequential(change, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)))
        else:
            layers.append(nn.Sequential())
    return nn.ModuleList(layers)


def stage(channels: Sequence[int], *, modules: int, outputs: int | None = None) -> nn.Sequential:
    """``modules`` exchanges, of which the last leaves ``outputs`` branches; None: all."""
    wanted = [len(channels)] * (modules - 1) + [outputs or len(channels)]
    return nn.Sequential(*(Exchange(channels, outputs=count) for count in wanted))


def fuse(channels: Sequence[int], *, source: int, target: int) -> nn.Sequential:
    """What brings one branch's map to the channels and size of another."""
    ours, theirs = channels[target], channels[source]
    if source > target:  # a smaller map is enlarged
        grow = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(nn.Conv2d(theirs, ours, 1, bias=False), nn.BatchNorm2d(ours), grow)
    steps: list[nn.Module] = []
    for halvings_left in range(target - source, 0, -1):  # a larger one is halved; none: it is the same
        last = halvings_left == 1
        halve = conv3x3(theirs, ours if last else theirs, stride=2)
        norm = nn.BatchNorm2d(ours if last else theirs)
        steps.append(
            nn.Sequential(halve, norm) if last else nn.Sequential(halve, norm, nn.ReLU(inplace=True))
        )
    return nn.Sequential(*steps)
