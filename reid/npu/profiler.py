"""Where time goes on an NPU: torch_npu's profiler behind Lightning's ``profiler``."""

from pathlib import Path
from typing import Any

from pytorch_lightning.profilers import Profiler

from reid.npu.devices import missing

STEP = "run_training_batch"  # Lightning's name for a batch's forward, backward and optimizer


class NPUProfiler(Profiler):
    """Traces a few training steps of each rank on host and device, as MindStudio Insight opens them.

    Args:
        dirpath: the run's folder.
        filename: the folder in it that the traces go into.
        wait: steps before anything is recorded.
        warmup: steps that are recorded and thrown away.
        active: steps that are kept.

    Raises:
        ValueError: there is no NPU here.
    """

    def __init__(
        self,
        dirpath: str | Path,
        filename: str = "profile",
        *,
        wait: int = 2,
        warmup: int = 1,
        active: int = 3,
    ) -> None:
        super().__init__(dirpath)
        self._profile: Any = None
        if what := missing():
            raise ValueError(f"trainer.profiler=npu: {what}; or use trainer.profiler=pytorch")
        self._folder = Path(dirpath) / filename
        self._steps = {"wait": wait, "warmup": warmup, "active": active, "repeat": 1}

    def start(self, action_name: str) -> None:
        if action_name != STEP or self._profile is not None:
            return
        from torch_npu import profiler

        self._profile = profiler.profile(
            activities=[profiler.ProfilerActivity.CPU, profiler.ProfilerActivity.NPU],
            schedule=profiler.schedule(**self._steps),
            on_trace_ready=profiler.tensorboard_trace_handler(str(self._folder)),
        )
        self._profile.start()

    def stop(self, action_name: str) -> None:
        if action_name == STEP and self._profile is not None:
            self._profile.step()

    def summary(self) -> str:
        return f"traces of torch_npu's profiler are in {self._folder}" if self._profile is not None else ""

    def teardown(self, stage: str | None) -> None:
        if self._profile is not None:
            self._profile.stop()
            self._profile = None
        super().teardown(stage)
