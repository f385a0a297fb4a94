"""Benchmarks on the disk -> lists of Records, and one that the program draws itself."""

from reid.datasets.market1501 import read_market1501
from reid.datasets.pedestrians import Sizes, draw_pedestrians
from reid.datasets.records import Benchmark, Counts, Record
from reid.datasets.verify import verify_counts

__all__ = ["Benchmark", "Counts", "Record", "Sizes", "draw_pedestrians", "read_market1501", "verify_counts"]
