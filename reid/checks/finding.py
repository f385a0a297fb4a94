"""What a check found, in one sentence and with examples."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from reid.datasets.records import Record

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")  # the gravest first
EXAMPLES = 10  # files a finding names


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a benchmark that its user should know.

    An error makes results meaningless or ends the run later; a warning makes them worse; a note is for those
    who ask.
    """

    level: Level
    code: str  # as "train-identities-in-test"
    message: str  # what, how many, an example and the remedy
    examples: tuple[Path, ...] = ()


def some(records: Iterable[Record]) -> tuple[Path, ...]:
    """The files of the first few."""
    return tuple(record.path for record in islice(records, EXAMPLES))


def part_of(count: int, total: int, what: str) -> str:
    """``part_of(3, 1200, "queries")`` is "3 of 1,200 queries"; of all, "all 1,200 queries"."""
    return f"all {total:,} {what}" if count == total > 1 else f"{count:,} of {total:,} {what}"
