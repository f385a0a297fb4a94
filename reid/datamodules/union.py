"""Several benchmarks as one."""

from collections.abc import Sequence
from typing import Any

from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, join


class UnionDataModule(ReIDDataModule):
    """All images of several benchmarks, each checked against its own counts.

    Args:
        of: the benchmarks' data modules.
    """

    def __init__(self, *args: Any, of: Sequence[ReIDDataModule], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(of) < 2:
            raise ValueError(
                f"data.of names {len(of)} benchmarks: give two or more, as data.of=[market1501,duke]"
            )
        self.of = of

    def prepare_data(self) -> None:
        for each in self.of:
            each.prepare_data()

    def read(self) -> Benchmark:
        return join([each.read_verified() for each in self.of], name=self.name)
