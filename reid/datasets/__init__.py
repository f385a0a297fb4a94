"""Benchmarks on the disk -> lists of Records, and one that the program draws itself."""

from reid.datasets.combine import join, train_on_all, with_vocabulary
from reid.datasets.cuhk03 import read_cuhk03
from reid.datasets.duke import read_duke
from reid.datasets.folder import read_own
from reid.datasets.market1501 import read_market1501
from reid.datasets.msmt17 import read_msmt17
from reid.datasets.pedestrians import Sizes, draw_pedestrians
from reid.datasets.records import Benchmark, Counts, Record
from reid.datasets.veri import read_veri
from reid.datasets.verify import verify_counts

__all__ = [
    "Benchmark",
    "Counts",
    "Record",
    "Sizes",
    "draw_pedestrians",
    "join",
    "read_cuhk03",
    "read_duke",
    "read_market1501",
    "read_msmt17",
    "read_own",
    "read_veri",
    "train_on_all",
    "verify_counts",
    "with_vocabulary",
]
