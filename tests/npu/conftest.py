"""Sentences on NPUs: real ones where torch_npu sees any, else the pretend ones of `ascend_sim`."""

import subprocess
import sys
from pathlib import Path

import pytest
from ascend_sim.wheel import UnavailableError, environment
from tasks.conftest import Outcome, Program

COUNT = "import torch_npu; print(torch_npu.npu.device_count())"
NPU_WORDS = ["data.num_workers=0", "check=none", "trainer.max_epochs=1", "device.reuse_memory=false"]


class NPUProgram(Program):
    """`python run.py SENTENCE` where there are NPUs."""

    def __init__(self, data: Path, work: Path, variables: dict[str, str]) -> None:
        super().__init__(data, work)
        self.variables = variables

    def start(self, *sentence, small=True, **options):
        flags = {"TORCH_NPU_FALLBACK_CPU_DISABLE": "1"}  # an operator without an NPU kernel is an error
        return super().start(*NPU_WORDS, *sentence, small=small, **{**flags, **self.variables, **options})


@pytest.fixture(scope="session")
def npu_variables() -> dict[str, str]:
    """What the environment of a process with NPUs has; empty on a real machine."""
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True)
    if done.returncode == 0 and int(done.stdout.split()[-1]) > 0:
        return {}
    try:
        return environment()
    except UnavailableError as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def npu(npu_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> NPUProgram:
    return NPUProgram(tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("runs"), npu_variables)


@pytest.fixture(scope="session")
def cpu(npu: NPUProgram) -> Program:
    """The same data, on the CPU and without torch_npu."""
    return Program(npu.data, npu.work / "cpu")


@pytest.fixture(scope="session")
def trained(npu: NPUProgram) -> Outcome:
    """An epoch on one NPU in 16-mixed, whose checkpoint many tests read."""
    outcome = npu("trainer=npu", "trainer.precision=16-mixed")
    assert outcome.status == 0, outcome.err
    return outcome
