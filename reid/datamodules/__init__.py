"""LightningDataModules: the shared loaders, and a thin class a benchmark."""

from reid.datamodules.cuhk03 import CUHK03DataModule
from reid.datamodules.duke import DukeDataModule
from reid.datamodules.folder import FolderDataModule
from reid.datamodules.market1501 import Market1501DataModule
from reid.datamodules.msmt17 import MSMT17DataModule
from reid.datamodules.pedestrians import PedestriansDataModule
from reid.datamodules.pictures import PictureDataModule
from reid.datamodules.pose import VehiclesPoseDataModule, VeRiPoseDataModule
from reid.datamodules.reid import ReIDDataModule
from reid.datamodules.union import UnionDataModule
from reid.datamodules.vehicles import VehiclesDataModule
from reid.datamodules.veri import VeRiDataModule

__all__ = [
    "CUHK03DataModule",
    "DukeDataModule",
    "FolderDataModule",
    "MSMT17DataModule",
    "Market1501DataModule",
    "PedestriansDataModule",
    "PictureDataModule",
    "ReIDDataModule",
    "UnionDataModule",
    "VeRiDataModule",
    "VeRiPoseDataModule",
    "VehiclesDataModule",
    "VehiclesPoseDataModule",
]
