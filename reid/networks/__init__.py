"""Batches of images in, `Features` out: plain `nn.Module`s that carry the published weight names."""

from reid.networks.aligned_reid import AlignedReID
from reid.networks.multitask import MultiTaskNet
from reid.networks.osnet import OSNet, OSNetAIN

__all__ = [
    "AlignedReID",
    "MultiTaskNet",
    "OSNet",
    "OSNetAIN",
]
