"""MindSpore's `same` padding and the seed's ResNet-50 in numpy, after the operators' description.

A window counts only what lies inside the map, so nothing here pads anything.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]
BLOCKS = {"layer1": (3, 1), "layer2": (4, 2), "layer3": (6, 2), "layer4": (3, 2)}  # how many, first stride
EPSILON = 1e-4


def windows(size: int, kernel: int, stride: int) -> Iterator[tuple[int, slice, slice]]:
    """Of each output: its number, the taps of the kernel that count, and where they lie in the input."""
    outputs = int(np.ceil(size / stride))
    missing = max((outputs - 1) * stride + kernel - size, 0)
    for output in range(outputs):
        start = output * stride - int(np.floor(missing / 2))
        low, high = max(start, 0), min(start + kernel, size)
        yield output, slice(low - start, high - start), slice(low, high)


def conv_same(x: Map, weight: Map, *, stride: int) -> Map:
    """(B, C, H, W) by (O, C, k, k)."""
    kernel, (height, width) = weight.shape[2], x.shape[2:]
    out = np.zeros((len(x), len(weight), -(-height // stride), -(-width // stride)))
    for i, taps_y, rows in windows(height, kernel, stride):
        for j, taps_x, columns in windows(width, kernel, stride):
            out[:, :, i, j] = np.tensordot(
                x[:, :, rows, columns], weight[:, :, taps_y, taps_x], axes=((1, 2, 3), (1, 2, 3))
            )
    return out


def max_same(x: Map, *, kernel: int, stride: int) -> Map:
    height, width = x.shape[2:]
    out = np.zeros((*x.shape[:2], -(-height // stride), -(-width // stride)))
    for i, _, rows in windows(height, kernel, stride):
        for j, _, columns in windows(width, kernel, stride):
            out[:, :, i, j] = x[:, :, rows, columns].max((2, 3))
    return out


def resnet50(x: Map, weights: Mapping[str, Map]) -> Map:
    """(B, 3, H, W) to (B, 2048, ceil(H / 32), ceil(W / 32)), by the names of a MindSpore file."""

    def norm(name: str, y: Map) -> Map:
        gamma, beta, mean, variance = (
            weights[f"{name}.{part}"][:, None, None]
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (y - mean) / np.sqrt(variance + EPSILON) * gamma + beta

    x = np.maximum(norm("bn1", conv_same(x, weights["conv1.weight"], stride=2)), 0)
    x = max_same(x, kernel=3, stride=2)
    for layer, (blocks, first) in BLOCKS.items():
        for block in range(blocks):
            name, stride = f"{layer}.{block}", first if block == 0 else 1
            y = x
            for number, step in ((1, 1), (2, stride), (3, 1)):
                y = norm(
                    f"{name}.bn{number}", conv_same(y, weights[f"{name}.conv{number}.weight"], stride=step)
                )
                y = np.maximum(y, 0) if number < 3 else y
            if f"{name}.down_sample_layer.0.weight" in weights:
                x = conv_same(x, weights[f"{name}.down_sample_layer.0.weight"], stride=stride)
                x = norm(f"{name}.down_sample_layer.1", x)
            x = np.maximum(x + y, 0)
    return x
