"""`trainer.profiler=npu`: which calls torch_npu's profiler gets from a training of Lightning's."""

import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock, call

import pytest
import pytorch_lightning as pl
from pytorch_lightning.demos.boring_classes import BoringModel

from reid.npu import NPUProfiler


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """What torch_npu.profiler is asked for, in a process without torch_npu."""
    module = ModuleType("torch_npu")
    module.profiler = MagicMock()
    monkeypatch.setitem(sys.modules, "torch_npu", module)
    monkeypatch.setattr("reid.npu.profiler.missing", lambda: None)
    return module.profiler


def test_training_steps_are_profiled_once(calls: MagicMock, tmp_path: Path) -> None:
    quiet = dict.fromkeys(["logger", "enable_checkpointing", "enable_progress_bar"], False)
    profiler = NPUProfiler(tmp_path, wait=1, warmup=1, active=2)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=6,
        limit_val_batches=2,
        profiler=profiler,
        enable_model_summary=False,
        **quiet,
    )
    trainer.fit(BoringModel())
    calls.schedule.assert_called_once_with(wait=1, warmup=1, active=2, repeat=1)
    calls.tensorboard_trace_handler.assert_called_once_with(str(tmp_path / "profile"))
    calls.profile.assert_called_once_with(
        activities=[calls.ProfilerActivity.CPU, calls.ProfilerActivity.NPU],
        schedule=calls.schedule.return_value,
        on_trace_ready=calls.tensorboard_trace_handler.return_value,
    )
    assert calls.profile.return_value.method_calls == [call.start(), *[call.step()] * 6, call.stop()]


def test_without_an_npu_it_is_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid.npu.profiler.missing", lambda: "torch_npu is not installed")
    with pytest.raises(ValueError, match=r"trainer.profiler=npu: torch_npu is not installed.*=pytorch"):
        NPUProfiler(tmp_path)
