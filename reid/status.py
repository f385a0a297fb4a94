"""status.json: what became of a run, for whoever looks at its folder without having watched it."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, Self

from reid.whole import write_whole

State = Literal["running", "finished", "failed", "interrupted"]


@dataclass(frozen=True)
class Status:
    """One run's state.

    Args:
        state: ``running`` also for a run that was killed before it could say so.
        overrides: the words of its sentence.
        started: seconds since the epoch.
        seconds: how long it took, for one that was resumed all its parts together.
        objective: what the task returned, mAP or PCK as a fraction.
        error: why it failed, in one line.
    """

    state: State
    overrides: list[str]
    started: float
    seconds: float = 0.0
    objective: float | None = None
    error: str | None = None

    @classmethod
    def begin(cls, overrides: list[str], *, before: Self | None = None) -> Self:
        """A run that starts now, or goes on."""
        return cls("running", overrides, time.time(), before.seconds if before else 0.0)

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The status in a run's folder; None if it holds none."""
        path = folder / "status.json"
        return cls(**json.loads(path.read_text())) if path.is_file() else None

    def ended(self, state: State, *, objective: float | None = None, error: str | None = None) -> Self:
        """The same run at its end, which is now."""
        seconds = self.seconds + time.time() - self.started
        return replace(self, state=state, seconds=seconds, objective=objective, error=error)

    def write(self, folder: Path) -> None:
        write_whole(folder / "status.json", (json.dumps(asdict(self), indent=2) + "\n").encode())
