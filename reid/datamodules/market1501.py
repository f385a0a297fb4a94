"""Market-1501 (Zheng et al., ICCV 2015)."""

from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, read_market1501


class Market1501DataModule(ReIDDataModule):
    """32,668 boxes of 1,501 people from six cameras."""

    def read(self) -> Benchmark:
        return read_market1501(self.root)
