"""Batches of images in, `Features` out: plain `nn.Module`s that carry the published weight names."""

from reid.networks.aligned_reid import AlignedReID
from reid.networks.multitask import MultiTaskNet
from reid.networks.osnet import OSNet, OSNetAIN
from reid.networks.weights import WeightsReport, load_weights, read_weights

__all__ = [
    "AlignedReID",
    "MultiTaskNet",
    "OSNet",
    "OSNetAIN",
    "WeightsReport",
    "load_weights",
    "read_weights",
]
