"""CUHK03 (Li et al., CVPR 2014)."""

from collections.abc import Mapping
from typing import Any

from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, read_cuhk03
from reid.datasets.cuhk03 import check_choices


class CUHK03DataModule(ReIDDataModule):
    """14,097 detected or 14,096 labeled boxes of 1,467 people, each seen in two views.

    Args:
        counts: protocol -> boxes -> list -> numbers.
        boxes: "detected" or "labeled".
        protocol: "new" or "classic".
        split: of the classic protocol, 0 to 19.
    """

    def __init__(
        self,
        *args: Any,
        counts: Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]],
        boxes: str = "detected",
        protocol: str = "new",
        split: int = 0,
        **kwargs: Any,
    ) -> None:
        check_choices(boxes, protocol, split)
        super().__init__(*args, counts=counts[protocol][boxes], **kwargs)
        self.boxes = boxes
        self.protocol = protocol
        self.split = split

    def prepare_data(self) -> None:
        self.read()

    def read(self) -> Benchmark:
        return read_cuhk03(self.root, boxes=self.boxes, protocol=self.protocol, split=self.split)
