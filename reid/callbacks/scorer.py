"""What the callbacks that score an evaluation have in common: a result, and the figure that decides."""

from typing import Any

import pytorch_lightning as pl


class Scorer(pl.Callback):
    """Scores what a module's evaluation gives, logs it as ``<stage>/...`` and keeps it as ``result``."""

    monitor: str  # the logged figure by which the best epoch is chosen, larger is better
    stage: str = "val"  # what the names of logged figures begin with
    result: Any = None

    def check(self, benchmark: Any) -> None:
        """Look at a benchmark before its images are; ``ValueError`` where it lacks what is scored."""

    def score(self, result: Any) -> float:
        """A result's figure that decides, a fraction."""
        raise TypeError(f"{type(self).__name__} does not say what decides")
