"""Without an NPU, or with one that cannot do what is asked: a line says what is missing, and what to type."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ascend_sim.wheel import UnavailableError, cache_folder, locked, torch_npu_packages
from tasks.conftest import Program

from reid.npu import device_indices

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.npu


def lines_of_error(outcome) -> list[str]:
    assert outcome.status == 1, outcome.out + outcome.err
    assert "Traceback" not in outcome.err
    return [line for line in outcome.err.splitlines() if line.startswith("Error")]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def bare_wheel() -> str:
    """PYTHONPATH with the real torch_npu and no CANN."""
    try:
        with locked(cache_folder()):
            return str(torch_npu_packages(cache_folder()))
    except UnavailableError as why:
        pytest.skip(str(why))


def test_torch_npu_is_missing(program) -> None:
    (line,) = lines_of_error(program("model=osnet", "data=pedestrians", "trainer=npu_8p", "check=none"))
    assert "torch_npu is not installed" in line
    assert f"pip install torch_npu=={torch.__version__.split('+')[0]}" in line
    assert "trainer=cpu" in line


def test_cann_is_missing(program, bare_wheel: str) -> None:
    (line,) = lines_of_error(program("trainer=npu_8p", "check=none", PYTHONPATH=bare_wheel))
    assert "finds no CANN libraries (libhccl.so" in line
    assert "source set_env.sh" in line


def test_the_cpu_works_beside_a_torch_npu_without_cann(program, bare_wheel: str) -> None:
    outcome = program("trainer=cpu", "check=none", "trainer.max_epochs=1", PYTHONPATH=bare_wheel)
    assert outcome.status == 0, outcome.err
    code = "import reid, reid.npu"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": bare_wheel, "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"},
    )
    assert done.returncode == 0, done.stderr


MISTAKES = {
    "driver": (["trainer=npu_8p"], {"NPU_SIM_DEVICES": "0"}, "no NPU is: load the driver"),
    "too few": (
        ["trainer=npu_8p"],
        {"NPU_SIM_DEVICES": "2"},
        "trainer.devices=8, but this process sees 2 NPUs",
    ),
    "bfloat16": (
        ["trainer=npu", "trainer.precision=bf16-mixed"],
        {"NPU_SIM_NAME": "Ascend910B"},
        "Ascend910B has no bfloat16, use trainer.precision=16-mixed",
    ),
    "hidden": (
        ["trainer=npu", "trainer.devices=2", "trainer.strategy=npu_ddp"],
        {"ASCEND_RT_VISIBLE_DEVICES": "4"},
        "this process sees 1 NPU (ASCEND_RT_VISIBLE_DEVICES: now '4')",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_the_devices_cannot_do_is_one_line(npu, name: str) -> None:
    words, variables, message = MISTAKES[name]
    if not npu.variables:
        pytest.skip("a real machine has the devices that it has")
    (line,) = lines_of_error(npu(*words, **variables))
    assert message in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["device.channels_last=true"], "an NPU has no NHWC tensors"),
        (["trainer.strategy=auto"], "trainer.strategy=auto knows no NPU"),
        (["trainer.devices=2"], "single_npu drives one NPU"),
        (["trainer.devices=[0,1]"], "single_npu drives one NPU"),
        (["device.loss_scale=-1"], "device.loss_scale=-1: use dynamic, or a positive number"),
        (["device.loss_scale=128", "trainer.precision=32-true"], "belongs to trainer.precision=16-mixed"),
    ],
)
def test_a_sentence_that_no_npu_can_follow_is_one_line(program, words: list[str], message: str) -> None:
    (line,) = lines_of_error(program.inside("trainer=npu", "check=none", *words))
    assert message in line


@pytest.mark.parametrize(
    ("devices", "meant"),
    [(2, [0, 1]), ("2", [0, 1]), (-1, [0, 1, 2, 3]), ("auto", [0, 1, 2, 3]), ("1,3", [1, 3]), ([2], [2])],
)
def test_devices_name_npus(devices: object, meant: list[int]) -> None:
    assert device_indices(devices, count=4) == meant


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (8, "trainer.devices=8, but this process sees 4 NPUs"),
        ([0, 0], "names an NPU twice"),
        ([1, 4], r"there is no NPU 4, this process sees 0\.\.3"),
        ("eight", "names no NPUs"),
        ([], "names no NPUs"),
        (0, "names no NPUs"),
        (None, "names no NPUs"),
    ],
)
def test_devices_that_are_not_there_are_refused(devices: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        device_indices(devices, count=4)
