"""The generated benchmark, drawn on first use and read as Market-1501 is."""

from collections.abc import Mapping
from typing import Any

from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, read_market1501
from reid.datasets.pedestrians import Sizes, draw_pedestrians


class PedestriansDataModule(ReIDDataModule):
    """Drawn people before drawn cameras, in Market-1501's layout and file names.

    Args:
        drawing: the ``seed`` of the drawing and, if other than the default, its ``Sizes``.
    """

    def __init__(self, *args: Any, drawing: Mapping[str, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drawing_seed = drawing.get("seed", 0)
        self.sizes = Sizes(**{name: value for name, value in drawing.items() if name != "seed"})

    def prepare_data(self) -> None:
        self.read()

    def read(self) -> Benchmark:
        folder = draw_pedestrians(self.root, seed=self.drawing_seed, sizes=self.sizes)
        return read_market1501(folder, name=self.name)
