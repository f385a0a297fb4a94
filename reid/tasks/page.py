"""What an evaluation's report consists of, whatever was scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reid.datamodules import PictureDataModule

Results = Sequence[tuple[PictureDataModule, Any]]  # of the configured benchmark, then of further ones


@dataclass(frozen=True)
class Page:
    """The parts that are written, shown and logged."""

    figures: dict[str, Any]  # of metrics.json
    pictures: Sequence[Path]
    rows: dict[str, Mapping[str, Any]]  # of the table: name -> figure -> fraction
    counts: Sequence[str]  # what the line below the table begins with
    numbers: Mapping[str, float]  # for loggers, beside the figures: other distances', other benchmarks'
