"""VeRi (Liu et al., ECCV 2016), and PAMTRI's keypoints for it."""

from typing import Any, Literal

from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, read_veri
from reid.datasets.veri import find_veri, forms_in


class VeRiDataModule(ReIDDataModule):
    """49,357 boxes of 776 vehicles from twenty cameras; the queries lie in the gallery too.

    Args:
        labels: "xml" or "csv" where both are there; None: the release's, and keypoints from the csv files.
    """

    def __init__(self, *args: Any, labels: Literal["xml", "csv"] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.labels = labels

    def read(self) -> Benchmark:
        if "xml" not in forms_in(find_veri(self.root), self.labels):
            self.counts = {}  # PAMTRI's tables make lists of any length
        return read_veri(self.root, labels=self.labels)
