"""Batches of images in, `Features` or heat maps out: plain `nn.Module`s with the published weight names."""

from reid.networks.aligned_reid import AlignedReID
from reid.networks.multitask import MultiTaskNet
from reid.networks.osnet import OSNet, OSNetAIN
from reid.networks.pose import PoseEstNet

__all__ = [
    "AlignedReID",
    "MultiTaskNet",
    "OSNet",
    "OSNetAIN",
    "PoseEstNet",
]
