"""Networks small enough to export in a second, and their cards."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from reid.deploy.card import Card
from reid.deploy.files import describe_file
from reid.networks import AlignedReID, MultiTaskNet, OSNet, OSNetAIN, PoseEstNet
from reid.networks.padding import halving_conv, halving_pool

NARROW = (16, 64, 96, 128)
SIZE = (64, 32)


def varied(network: nn.Module) -> nn.Module:
    """As if trained: norms that do something, so that leaving one out would show."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def shallow(network: nn.Module, *, channels: int, width: int) -> nn.Module:
    """With one layer for a trunk, which exports in a tenth of the time; its heads are its own."""
    network.base = nn.Sequential(
        nn.Conv2d(channels, width, 7, stride=16, padding=3, bias=False), nn.BatchNorm2d(width)
    )
    return network


def shallow_multitask(**switches: bool) -> nn.Module:
    network = MAKERS["multitask"](**switches)
    return shallow(network, channels=network.in_channels, width=1024)


def shallow_same() -> nn.Module:
    """With the layers that MindSpore's padding is about for a trunk."""
    network = AlignedReID(5, padding="same", epsilon=1e-4)
    layers = [halving_conv(3, 64, 7, padding="same"), nn.BatchNorm2d(64), halving_pool(padding="same")]
    network.base = nn.Sequential(*layers, halving_conv(64, 2048, 3, padding="same"))
    return network


MAKERS: dict[str, Callable[..., nn.Module]] = {
    "osnet_x0_25": lambda: OSNet(5, channels=NARROW),
    "osnet_x0_5": lambda: OSNet(5, channels=(32, 128, 192, 256)),
    "osnet_x0_75": lambda: OSNet(5, channels=(48, 192, 288, 384)),
    "osnet": lambda: OSNet(5),
    "osnet_ibn": lambda: OSNet(5, channels=NARROW, instance_norm=True),
    "osnet_ain": lambda: OSNetAIN(5, channels=NARROW),
    "aligned_reid": lambda: AlignedReID(5),
    "aligned_reid_learnt": lambda: shallow(AlignedReID(5, learnt_test_branch=True), channels=3, width=2048),
    "aligned_reid_same": shallow_same,
    "pose": lambda: PoseEstNet(4, modules=(1, 1, 1)),
    "multitask": lambda **switches: MultiTaskNet(5, attributes={"color": 4, "type": 3}, **switches),
    "multitask_shallow": shallow_multitask,
}


def made(name: str, **switches: bool) -> tuple[nn.Module, Card]:
    network = varied(MAKERS[name](**switches))
    description: dict[str, Any] = {
        "model": {"name": name, "network": switches},
        "image_size": list(SIZE),
        "distance": "euclidean",
        "data": "market1501",
        "identities": [2, 7, 10, 11, 12],
        "attributes": {"color": ["yellow", "red", "blue", "gray"], "type": ["sedan", "van", "bus"]}
        if name.startswith("multitask")
        else {},
    }
    return network, describe_file(description, network, source="best.ckpt")
