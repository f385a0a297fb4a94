"""LightningDataModules: the shared loaders, and a thin class a benchmark."""

from reid.datamodules.market1501 import Market1501DataModule
from reid.datamodules.pedestrians import PedestriansDataModule
from reid.datamodules.reid import ReIDDataModule

__all__ = ["Market1501DataModule", "PedestriansDataModule", "ReIDDataModule"]
