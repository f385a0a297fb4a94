"""The generated benchmark, drawn on first use and read as Market-1501 is."""

from reid.datamodules.drawn import DrawnDataModule
from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, read_market1501
from reid.datasets.pedestrians import Sizes, draw_pedestrians


class PedestriansDataModule(DrawnDataModule, ReIDDataModule):
    """Drawn people before drawn cameras, in Market-1501's layout and file names."""

    drawer = draw_pedestrians
    sizes_class = Sizes

    def read(self) -> Benchmark:
        return read_market1501(self.draw(), name=self.name)
