"""MSMT17 (Wei et al., CVPR 2018)."""

from collections.abc import Mapping
from typing import Any

from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, read_msmt17


class MSMT17DataModule(ReIDDataModule):
    """126,441 boxes of 4,101 people from fifteen cameras.

    Args:
        include_val: train on the validation list too; ``combine_all`` does as well.
        counts_with_val: the training list's ``counts`` in that case.
    """

    def __init__(
        self,
        *args: Any,
        counts: Mapping[str, Mapping[str, int]],
        include_val: bool = False,
        counts_with_val: Mapping[str, int],
        **kwargs: Any,
    ) -> None:
        if kwargs.get("combine_all") is True:
            include_val = True
        super().__init__(
            *args, counts={**counts, "train": counts_with_val} if include_val else counts, **kwargs
        )
        self.include_val = include_val

    def read(self) -> Benchmark:
        return read_msmt17(self.root, include_val=self.include_val)
