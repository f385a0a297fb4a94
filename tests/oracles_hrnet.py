"""HRNet's arithmetic read off its weights' published names, one call of torch at a time."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]


def norm(x: Tensor, w: Weights, name: str) -> Tensor:
    scale = w[f"{name}.weight"] / torch.sqrt(w[f"{name}.running_var"] + 1e-5)
    shift = w[f"{name}.bias"] - w[f"{name}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def conv(x: Tensor, w: Weights, name: str, *, stride: int = 1) -> Tensor:
    kernel = w[f"{name}.weight"]
    return F.conv2d(x, kernel, w.get(f"{name}.bias"), stride, kernel.shape[2] // 2)


def basic(x: Tensor, w: Weights, name: str) -> Tensor:
    y = norm(conv(x, w, f"{name}.conv1"), w, f"{name}.bn1").relu()
    return (norm(conv(y, w, f"{name}.conv2"), w, f"{name}.bn2") + x).relu()


def bottleneck(x: Tensor, w: Weights, name: str) -> Tensor:
    y = norm(conv(x, w, f"{name}.conv1"), w, f"{name}.bn1").relu()
    y = norm(conv(y, w, f"{name}.conv2"), w, f"{name}.bn2").relu()
    y = norm(conv(y, w, f"{name}.conv3"), w, f"{name}.bn3")
    if f"{name}.downsample.0.weight" in w:
        x = norm(conv(x, w, f"{name}.downsample.0"), w, f"{name}.downsample.1")
    return (y + x).relu()


def bring(x: Tensor, w: Weights, name: str, *, source: int, target: int) -> Tensor:
    if source == target:
        return x
    if source > target:
        y = norm(conv(x, w, f"{name}.0"), w, f"{name}.1")
        factor = 2 ** (source - target)
        return y.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    for step in range(target - source):
        x = norm(conv(x, w, f"{name}.{step}.0", stride=2), w, f"{name}.{step}.1")
        if step < target - source - 1:
            x = x.relu()
    return x


def hrnet_heatmaps(x: Tensor, w: Weights, *, modules: tuple[int, int, int]) -> Tensor:
    x = norm(conv(x, w, "conv1", stride=2), w, "bn1").relu()
    x = norm(conv(x, w, "conv2", stride=2), w, "bn2").relu()
    for block in range(4):
        x = bottleneck(x, w, f"layer1.{block}")
    maps = [norm(conv(x, w, "transition1.0.0"), w, "transition1.0.1").relu()]
    smallest = x
    for count, repeats in zip((2, 3, 4), modules, strict=True):
        name = f"transition{count - 1}.{count - 1}.0"
        maps.append(norm(conv(smallest, w, f"{name}.0", stride=2), w, f"{name}.1").relu())
        for module in range(repeats):
            here = f"stage{count}.{module}"
            for branch in range(count):
                for block in range(4):
                    maps[branch] = basic(maps[branch], w, f"{here}.branches.{branch}.{block}")
            outputs = 1 if (count, module) == (4, repeats - 1) else count
            maps = [
                sum(
                    bring(maps[j], w, f"{here}.fuse_layers.{i}.{j}", source=j, target=i) for j in range(count)
                ).relu()
                for i in range(outputs)
            ]
        smallest = maps[-1]
    return conv(maps[0], w, "final_layer")
