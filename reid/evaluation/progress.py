"""What the user sees of long work: one line that says how long it takes, and a bar on a terminal."""

import logging
import time
from threading import Lock
from types import TracebackType
from typing import Self

from tqdm import tqdm

LONG = 5.0  # seconds; shorter work is done before anyone wonders
SOON = 0.5  # seconds of work that an estimate is made from

log = logging.getLogger(__name__)


class Progress:
    """Counts steps of some work, and speaks only once the whole is seen to take longer than `LONG`.

    Args:
        what: what is done, for the line and the bar: "ranking 11,659 queries x 82,161 images".
        total: steps of the whole.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._done, self._started = 0, time.perf_counter()
        self._lock = Lock()
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, steps: int) -> None:
        """Any thread may."""
        with self._lock:
            self._advance(steps)

    def _advance(self, steps: int) -> None:
        self._done += steps
        if self._bar is not None:
            self._bar.update(steps)
            return
        seconds = time.perf_counter() - self._started
        estimate = seconds * self._total / self._done
        # other ranks than the first are told to be quiet
        if seconds > SOON and estimate > LONG and log.isEnabledFor(logging.INFO):
            log.info("%s: about %s", self._what, _spoken(estimate))
            self._bar = tqdm(
                total=self._total, initial=self._done, desc=self._what, disable=None, leave=False
            )


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
