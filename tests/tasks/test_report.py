"""The table on the terminal, and what the hardware module makes of a trainer's devices."""

import doctest

import pytest
from omegaconf import OmegaConf

from reid.datasets import Benchmark
from reid.tasks import findings, hardware, report


def test_the_table_is_as_documented() -> None:
    assert doctest.testmod(report).failed == 0
    assert doctest.testmod(report).attempted > 0


@pytest.mark.parametrize(
    ("devices", "processes"),
    [(1, 1), (8, 8), ([2, 5], 2), ("3", 3), ("0,1,4", 3), ("auto", 1), (-1, 1), ("-1", 1)],
)
def test_devices_are_counted(devices: object, processes: int) -> None:
    assert hardware.processes(OmegaConf.create({"devices": devices})) == processes


def test_published_accuracies_stand_below_ours() -> None:
    ours = {"mAP": 0.5, "rank1": 0.75, "gallery": 9.0, "color_accuracy": 0.9, "type_accuracy": 0.875}
    published = {"mAP": 0.31, "rank1": 0.5334, "color_accuracy": 0.9025, "type_accuracy": 0.8727}
    head, *rows = report.table({"veri, euclidean": ours, "published (S3)": published}).splitlines()
    assert head.split() == ["mAP", "rank-1", "color", "acc", "type", "acc"]
    assert [row.split()[2:] for row in rows] == [
        ["50.0", "75.0", "90.0", "87.5"],
        ["31.0", "53.3", "90.2", "87.3"],
    ]
    assert len({len(line) for line in (head, *rows)}) == 1


def test_values_that_a_benchmark_does_not_know_are_numbers() -> None:
    benchmark = Benchmark("veri", [], [], [], attributes={"color": ["red", "blue"]})
    assert findings.value_names(benchmark, "color", count=4) == ["red", "blue", "2", "3"]
    assert findings.value_names(benchmark, "type", count=1) == ["0"]
