"""The process that started others takes its own killing of them for no failure."""

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest

from reid.callbacks import EndTogether
from reid.callbacks.end_together import EVERY


class Slow(subprocess.Popen[bytes]):
    """Whoever waits for it waits for several looks."""

    def wait(self, timeout: float | None = None) -> int:
        status = super().wait(timeout)
        time.sleep(4 * EVERY)
        return status


def test_a_killed_rest_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    launcher = SimpleNamespace(procs=[Slow(sleeping), Slow(sleeping)])
    children, failures = list(launcher.procs), []
    together = EndTogether()
    monkeypatch.setattr(together, "_end_after", lambda *of: failures.append(of))
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(launcher=launcher))
    together.watch(trainer)
    together.end()
    assert [child.poll() is None for child in children] == [False, False]
    assert failures == []
