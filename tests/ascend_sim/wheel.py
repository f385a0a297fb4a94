"""The real torch_npu for tests, installed or as a wheel in a cache folder, and what is compiled for it."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch

from ascend_sim import runtime

HERE = Path(__file__).parent
VERSION = torch.__version__.split("+")[0]


class UnavailableError(Exception):
    """Why this machine cannot pretend to be an Ascend."""


@cache
def environment() -> dict[str, str]:
    """The variables under which a Python process sees pretend NPUs; downloads and compiles once a machine.

    Raises:
        UnavailableError: no compiler, or no wheel.
    """
    if sys.platform != "linux" or not all(shutil.which(tool) for tool in ("cc", "c++", "nm")):
        raise UnavailableError("the pretend Ascend needs Linux with cc, c++ and nm")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        raise UnavailableError("the pretend Ascend needs Python.h (the -dev package of this Python)")
    with locked(cache_folder()):
        packages = torch_npu_packages(cache_folder())
        built = cache_folder() / fingerprint()
        if not (built / "done").is_file():
            built.mkdir(exist_ok=True)
            runtime.build(built, packages / "torch_npu")
            build_kernels(built)
            (built / "done").touch()
    return {
        "PYTHONPATH": os.pathsep.join(map(str, (HERE / "site", packages))),
        "NPU_SIM_BUILD": str(built),
        "TASK_QUEUE_ENABLE": "0",  # the launch queue would overtake the arithmetic, which queues nothing
        "OMP_NUM_THREADS": "1",
    }


def cache_folder() -> Path:
    """Where the wheel and what is compiled lie, for all checkouts of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reid-ascend-sim"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time: test workers start together."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise UnavailableError(f"the pretend Ascend needs a cache folder ({error})") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def torch_npu_packages(folder: Path) -> Path:
    """The folder that ``torch_npu`` is imported from."""
    if (found := importlib.util.find_spec("torch_npu")) is not None and found.origin is not None:
        return Path(found.origin).parents[1]
    target = folder / f"torch_npu-{VERSION}-py{sys.version_info.major}{sys.version_info.minor}"
    if not (target / "torch_npu").is_dir():
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(partial)]
        done = subprocess.run([*command, f"torch_npu=={VERSION}"], capture_output=True, text=True)
        if done.returncode:
            raise UnavailableError(
                f"no torch_npu=={VERSION} to install: {done.stderr.strip().splitlines()[-1:]}"
            )
        partial.rename(target)
    return target


def fingerprint() -> str:
    """A name for what is compiled here, by sources and versions."""
    sources = sorted(path for path in HERE.iterdir() if path.suffix in (".c", ".cpp", ".h", ".py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    return f"torch-{torch.__version__}-py{sys.version_info.major}{sys.version_info.minor}-{digest}"


def build_kernels(folder: Path) -> None:
    """Compile the arithmetic, an extension module for torch."""
    home = Path(torch.__file__).parent
    includes = [home / "include", home / "include/torch/csrc/api/include", sysconfig.get_paths()["include"]]
    command = [
        *("c++", "-shared", "-fPIC", "-O1", "-w", "-std=c++20"),
        *("-DTORCH_EXTENSION_NAME=cpu_kernels", "-DTORCH_API_INCLUDE_EXTENSION_H"),
        f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}",
        *(f"-I{path}" for path in includes),
        str(HERE / "cpu_kernels.cpp"),
        *("-o", str(folder / "cpu_kernels.so"), f"-L{home / 'lib'}"),
        *("-lc10", "-ltorch_cpu", "-ltorch", "-ltorch_python"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UnavailableError(f"the pretend Ascend does not compile: {done.stderr[-2000:]}")
