"""The generated vehicles, drawn on first use and read as VeRi is."""

from collections.abc import Mapping
from typing import Any

from reid.datamodules.veri import VeRiDataModule
from reid.datasets import Benchmark, read_veri
from reid.datasets.vehicles import Sizes, draw_vehicles
from reid.loading import planes_of
from reid.loading.guides import DrawnGuides, write_guide_files


class VehiclesDataModule(VeRiDataModule):
    """Drawn cars before drawn cameras, in VeRi's layout, file names and labels.

    Args:
        drawing: the ``seed`` of the drawing and, if other than the default, its ``Sizes``.
    """

    def __init__(self, *args: Any, drawing: Mapping[str, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drawing_seed = drawing.get("seed", 0)
        self.sizes = Sizes(**{name: value for name, value in drawing.items() if name != "seed"})

    def prepare_data(self) -> None:
        """Draw the benchmark and, for ``guides="files"``, its 49 files a picture."""
        benchmark = self.read()
        if self.guides == "files":
            records = [*benchmark.train, *benchmark.query, *benchmark.gallery]
            guides = DrawnGuides(records, heatmap=True, segment=True, confidence=0)
            write_guide_files(records, planes_of(records, guides), heatmap=True, segment=True)

    def read(self) -> Benchmark:
        folder = draw_vehicles(self.root, seed=self.drawing_seed, sizes=self.sizes)
        return read_veri(folder, name=self.name, labels=self.labels)
