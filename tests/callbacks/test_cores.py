"""Which cores each rank of a machine gets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reid.callbacks.cores import divide, numbers


def machine(folder: Path, *, nodes: list[str], siblings: dict[int, str] | None = None) -> Path:
    """/sys/devices/system of a machine whose nodes have these cores."""
    for number, cores in enumerate(nodes):
        (folder / "node" / f"node{number}").mkdir(parents=True)
        (folder / "node" / f"node{number}" / "cpulist").write_text(f"{cores}\n")
    for core, threads in (siblings or {}).items():
        (folder / "cpu" / f"cpu{core}" / "topology").mkdir(parents=True)
        (folder / "cpu" / f"cpu{core}" / "topology" / "thread_siblings_list").write_text(f"{threads}\n")
    return folder


def test_the_kernel_s_lists() -> None:
    assert numbers("0-2,8,10-11\n") == [0, 1, 2, 8, 10, 11]
    assert numbers("\n") == []


@pytest.mark.parametrize(("cores", "ranks"), [(8, 1), (8, 2), (96, 8), (10, 3), (2, 2)])
def test_one_node_is_divided_as_taskset_did(tmp_path: Path, cores: int, ranks: int) -> None:
    average = cores // ranks
    expected = [list(range(rank * average, (rank + 1) * average)) for rank in range(ranks)]
    assert divide(range(cores), ranks, system=tmp_path) == expected, "a machine that does not tell"
    assert divide(range(cores), ranks, system=machine(tmp_path, nodes=[f"0-{cores - 1}"])) == expected


def test_a_rank_s_cores_are_of_one_node(tmp_path: Path) -> None:
    system = machine(tmp_path, nodes=["0,2,4,6", "1,3,5,7"])
    assert divide(range(8), 2, system=system) == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert divide(range(8), 3, system=system) == [[0, 2], [4, 6], [1, 3]]
    assert divide(range(8), 4, system=system) == [[0, 2], [4, 6], [1, 3], [5, 7]]
    assert divide(range(8), 1, system=system) == [[0, 2, 4, 6, 1, 3, 5, 7]], "whole nodes"


def test_only_cores_that_may_be_used(tmp_path: Path) -> None:
    system = machine(tmp_path, nodes=["0-3", "4-7"])
    assert divide([1, 2, 3, 4, 5], 2, system=system) == [[1, 2], [4, 5]]
    assert divide([2, 3, 7], 3, system=system) == [[2], [3], [7]]
    assert divide([0, 1, 2, 3], 2, system=system) == [[0, 1], [2, 3]], "a node of which none may be used"
    with pytest.raises(ValueError, match=r"3 ranks on this machine, and 2 cores .*\(1, 6\): lower"):
        divide([6, 1], 3, system=system)


def test_two_threads_of_a_core_stay_together(tmp_path: Path) -> None:
    pairs = {core: f"{core % 4},{core % 4 + 4}" for core in range(8)}
    system = machine(tmp_path, nodes=["0-7"], siblings=pairs)
    assert divide(range(8), 2, system=system) == [[0, 4, 1, 5], [2, 6, 3, 7]]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_threads_that_run_already_are_bound_too() -> None:
    code = (
        "import os, threading, time; from reid.callbacks.cores import allowed_cores, bind\n"
        "threading.Thread(target=time.sleep, args=(5,), daemon=True).start()\n"
        "bind(allowed_cores()[:1])\n"
        "own = [len(os.sched_getaffinity(int(t))) for t in os.listdir('/proc/self/task')]\n"
        "assert len(own) > 1 and set(own) == {1}, own"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
