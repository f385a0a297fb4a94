"""The table on the terminal, and what the hardware module makes of a trainer's devices."""

import doctest

import pytest
from omegaconf import OmegaConf

from reid.tasks import hardware, report


def test_the_table_is_as_documented() -> None:
    assert doctest.testmod(report).failed == 0
    assert doctest.testmod(report).attempted > 0


@pytest.mark.parametrize(
    ("devices", "processes"),
    [(1, 1), (8, 8), ([2, 5], 2), ("3", 3), ("0,1,4", 3), ("auto", 1), (-1, 1), ("-1", 1)],
)
def test_devices_are_counted(devices: object, processes: int) -> None:
    assert hardware.processes(OmegaConf.create({"devices": devices})) == processes
