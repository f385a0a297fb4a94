"""DukeMTMC-reID (Zheng et al., ICCV 2017)."""

from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, read_duke


class DukeDataModule(ReIDDataModule):
    """36,411 boxes of 1,812 people from eight cameras."""

    def read(self) -> Benchmark:
        return read_duke(self.root)
