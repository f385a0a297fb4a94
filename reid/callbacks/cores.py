"""Each rank of a machine computes on cores of its own, as the published runs did with taskset."""

import os
from collections.abc import Collection, Sequence
from itertools import chain, pairwise
from pathlib import Path

import pytorch_lightning as pl
import torch

SYSTEM = Path("/sys/devices/system")


class BindCores(pl.Callback):
    """Gives each rank its share of the cores, and as many threads.

    Args:
        threads: CPU threads of a rank; None: as many as it has cores.

    Raises:
        ValueError: fewer cores than ranks, or a system that binds nothing.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self.cores: list[int] | None = None  # of this rank, once it is bound

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.cores is not None:
            return
        allowed = allowed_cores()
        # SLURM has divided them where each task may use what it asked for and no more
        divided = os.environ.get("SLURM_CPUS_PER_TASK") == str(len(allowed))
        parts = [allowed] if divided else divide(allowed, trainer.num_devices)
        self.cores = parts[0 if divided else trainer.local_rank]
        bind(self.cores)
        torch.set_num_threads(self.threads or len(self.cores))


def allowed_cores() -> list[int]:
    """The cores that this process may use.

    Raises:
        ValueError: the system does not tell.
    """
    if not hasattr(os, "sched_getaffinity"):
        raise ValueError("trainer.bind_cores=true needs Linux (sched_setaffinity): set it to false")
    return sorted(os.sched_getaffinity(0))


def divide(allowed: Collection[int], ranks: int, *, system: Path = SYSTEM) -> list[list[int]]:
    """The cores of each of ``ranks``, equally many, of one NUMA node if there are no more nodes than ranks.

    On a machine of one node with one thread a core this is the formula of the published scripts: rank i has
    the cores i * avg to i * avg + avg - 1, with avg = cores / ranks. Else two threads of one core go to one
    rank; and with fewer ranks than nodes each rank has whole nodes.

    Args:
        allowed: the cores to divide.
        system: where the kernel describes nodes and cores.

    Raises:
        ValueError: fewer cores than ranks.
    """
    if len(allowed) < ranks:
        raise ValueError(
            f"trainer.bind_cores=true: {ranks} ranks on this machine, and {len(allowed)} cores that they may"
            f" use ({', '.join(map(str, sorted(allowed)))}): lower trainer.devices, or set it to false"
        )
    nodes = by_node(allowed, system)
    if ranks < len(nodes):
        ends = [rank * len(nodes) // ranks for rank in range(ranks + 1)]
        return [list(chain.from_iterable(nodes[begin:end])) for begin, end in pairwise(ends)]
    size = next(
        size
        for size in range(len(allowed) // ranks, 0, -1)
        if sum(len(node) // size for node in nodes) >= ranks
    )
    parts = [node[start : start + size] for node in nodes for start in range(0, len(node) - size + 1, size)]
    return parts[:ranks]


def by_node(allowed: Collection[int], system: Path) -> list[list[int]]:
    """The cores of each NUMA node that has some, two threads of one core side by side; one node if none."""

    def place(core: int) -> tuple[int, int]:
        file = system / "cpu" / f"cpu{core}" / "topology" / "thread_siblings_list"
        return (min(numbers(file.read_text())) if file.is_file() else core), core

    left = set(allowed)
    nodes = []
    for folder in sorted((system / "node").glob("node[0-9]*"), key=lambda path: int(path.name[4:])):
        own = left & set(numbers((folder / "cpulist").read_text()))
        left -= own
        nodes.append(sorted(own, key=place))
    return [node for node in [*nodes, sorted(left, key=place)] if node]


def numbers(text: str) -> list[int]:
    """What the kernel's list stands for.

    >>> numbers("0-2,8")
    [0, 1, 2, 8]
    """
    ranges = (part.partition("-") for part in text.strip().split(",") if part)
    return [number for first, _, last in ranges for number in range(int(first), int(last or first) + 1)]


def bind(cores: Sequence[int]) -> None:
    """Bind all threads of this process, those that libraries have started included."""
    for thread in os.listdir("/proc/self/task"):
        try:
            os.sched_setaffinity(int(thread), cores)
        except ProcessLookupError:  # it has ended since
            continue
