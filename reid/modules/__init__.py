"""LightningModules: the shared loop, and a thin class an architecture."""

from reid.modules.aligned_reid import AlignedReIDModule
from reid.modules.multitask import MultiTaskModule
from reid.modules.osnet import OSNetModule
from reid.modules.pose import PoseModule
from reid.modules.reid import ReIDModule
from reid.modules.taught import TaughtModule

__all__ = [
    "AlignedReIDModule",
    "MultiTaskModule",
    "OSNetModule",
    "PoseModule",
    "ReIDModule",
    "TaughtModule",
]
