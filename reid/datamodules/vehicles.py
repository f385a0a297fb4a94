"""The generated vehicles, drawn on first use and read as VeRi is."""

from reid.datamodules.drawn import DrawnDataModule
from reid.datamodules.veri import VeRiDataModule
from reid.datasets import Benchmark, read_veri
from reid.datasets.vehicles import Sizes, draw_vehicles
from reid.loading import planes_of
from reid.loading.guides import DrawnGuides, write_guide_files


class VehiclesDataModule(DrawnDataModule, VeRiDataModule):
    """Drawn cars before drawn cameras, in VeRi's layout, file names and labels."""

    drawer = draw_vehicles
    sizes_class = Sizes

    def prepare_data(self) -> None:
        """Draw the benchmark and, for ``guides="files"``, its 49 files a picture."""
        super().prepare_data()
        if self.guides == "files":
            benchmark = self.read()
            records = [*benchmark.train, *benchmark.query, *benchmark.gallery]
            guides = DrawnGuides(records, heatmap=True, segment=True, confidence=0)
            write_guide_files(records, planes_of(records, guides), heatmap=True, segment=True)

    def read(self) -> Benchmark:
        return read_veri(self.draw(), name=self.name, labels=self.labels)
