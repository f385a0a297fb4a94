"""Layers that halve a map, padded as PyTorch's published networks do or as MindSpore's ``same`` does.

``same`` pads as little as gives ceil(size / stride) outputs, and an odd pixel to the right and the bottom: on
maps of even size every window lies a pixel further than in PyTorch's networks, which pad both sides alike.
Weights are named and shaped alike.
"""

import torch.nn.functional as F
from torch import Tensor, nn

PADDINGS = ("torch", "same")
EPSILON = 1e-5  # of batch norms, in PyTorch and in MindSpore where a network does not say otherwise


class SameConv2d(nn.Conv2d):
    """A square convolution without padding of its own, behind that of `padded`."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, O, ceil(H / stride), ceil(W / stride))."""
        x = padded(x, kernel=self.kernel_size[0], stride=self.stride[0], value=0.0)
        return super().forward(x)


class SameMaxPool2d(nn.Module):
    """The maximum of those pixels of a window that lie inside the map."""

    def __init__(self, kernel: int, *, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, ceil(H / stride), ceil(W / stride))."""
        x = padded(x, kernel=self.kernel, stride=self.stride, value=float("-inf"))
        return F.max_pool2d(x, self.kernel, self.stride)


def padded(x: Tensor, *, kernel: int, stride: int, value: float) -> Tensor:
    """(B, C, H, W) with what ``same`` puts around it."""
    # Whole numbers also where the network is traced: a file is for one size of images.
    sides = [
        side for size in reversed(x.shape[2:]) for side in around(int(size), kernel=kernel, stride=stride)
    ]
    return F.pad(x, sides, value=value)


def around(size: int, *, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and behind ``size`` of them (MindSpore, nn.Conv2d, pad_mode "same")."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def halving_conv(in_channels: int, out_channels: int, kernel: int, *, padding: str) -> nn.Conv2d:
    """A convolution of stride 2 without bias, padded as one of `PADDINGS` says.

    Raises:
        ValueError: another padding.
    """
    if is_same(padding):
        return SameConv2d(in_channels, out_channels, kernel, stride=2, bias=False)
    return nn.Conv2d(in_channels, out_channels, kernel, stride=2, padding=kernel // 2, bias=False)


def halving_pool(*, padding: str) -> nn.Module:
    """A maximum over 3 x 3 at stride 2, padded as one of `PADDINGS` says.

    Raises:
        ValueError: another padding.
    """
    return SameMaxPool2d(3, stride=2) if is_same(padding) else nn.MaxPool2d(3, stride=2, padding=1)


def is_same(padding: str) -> bool:
    if padding not in PADDINGS:
        raise ValueError(f"padding={padding!r}: use {' or '.join(PADDINGS)}")
    return padding == "same"
