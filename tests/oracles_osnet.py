"""OSNet's two blocks from the recipe's words and a state dict: arithmetic in place of modules."""

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = dict[str, Tensor]


def batch_norm(weights: Weights, name: str, x: Tensor, *, training: bool) -> Tensor:
    mean, var = (weights[f"{name}.{statistic}"] for statistic in ("running_mean", "running_var"))
    if training:
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    return affine(weights, name, (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt())


def instance_norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    return affine(weights, name, (x - mean) / (var + 1e-5).sqrt())


def affine(weights: Weights, name: str, x: Tensor) -> Tensor:
    return x * weights[f"{name}.weight"][:, None, None] + weights[f"{name}.bias"][:, None, None]


def gated_scales(weights: Weights, x: Tensor, streams: list[list[str]], *, training: bool) -> Tensor:
    """The sum over streams of gate * stream; a stream is the names of its lite 3x3 layers."""
    total = torch.zeros_like(x)
    for layers in streams:
        y = x
        for name in layers:
            y = torch.einsum("oi,bihw->bohw", weights[f"{name}.conv1.weight"][:, :, 0, 0], y)
            y = F.conv2d(y, weights[f"{name}.conv2.weight"], padding=1, groups=y.shape[1])
            y = batch_norm(weights, f"{name}.bn", y, training=training).clamp(min=0)
        hidden = y.mean((2, 3)) @ weights["gate.fc1.weight"][:, :, 0, 0].T + weights["gate.fc1.bias"]
        gate = hidden.clamp(min=0) @ weights["gate.fc2.weight"][:, :, 0, 0].T + weights["gate.fc2.bias"]
        total = total + y / (1 + (-gate).exp())[:, :, None, None]
    return total


def linear(weights: Weights, name: str, x: Tensor, *, training: bool) -> Tensor:
    """A 1x1 convolution, and its batch norm where it has one."""
    y = torch.einsum("oi,bihw->bohw", weights[f"{name}.conv.weight"][:, :, 0, 0], x)
    return batch_norm(weights, f"{name}.bn", y, training=training) if f"{name}.bn.weight" in weights else y


def around(weights: Weights, x: Tensor, *, training: bool) -> Tensor:
    return linear(weights, "downsample", x, training=training) if "downsample.conv.weight" in weights else x


def plain_block(weights: Weights, x: Tensor, *, training: bool) -> Tensor:
    y = linear(weights, "conv1", x, training=training).clamp(min=0)
    streams = [["conv2a"]] + [[f"conv2{s}.{i}" for i in range(n)] for s, n in (("b", 2), ("c", 3), ("d", 4))]
    y = linear(weights, "conv3", gated_scales(weights, y, streams, training=training), training=training)
    y = y + around(weights, x, training=training)
    return (instance_norm(weights, "IN", y) if "IN.weight" in weights else y).clamp(min=0)


def ain_block(weights: Weights, x: Tensor, *, training: bool) -> Tensor:
    y = linear(weights, "conv1", x, training=training).clamp(min=0)
    streams = [[f"conv2.{n}.layers.{i}" for i in range(n + 1)] for n in range(4)]
    y = linear(weights, "conv3", gated_scales(weights, y, streams, training=training), training=training)
    y = instance_norm(weights, "IN", y) if "IN.weight" in weights else y
    return (y + around(weights, x, training=training)).clamp(min=0)
