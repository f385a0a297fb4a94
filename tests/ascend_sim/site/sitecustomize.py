"""On PYTHONPATH, gives every Python of a test, launched ranks too, the pretend Ascend."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path

BUILT = Path(os.environ["NPU_SIM_BUILD"])


def start() -> None:
    """Load the pretend CANN: cheap, and before torch."""
    os.environ.pop("ASCEND_HOME_PATH", None)  # of a real CANN
    where = Path(__file__).parents[1] / "runtime.py"
    spec = importlib.util.spec_from_file_location("ascend_sim_runtime", where)
    runtime = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runtime)
    runtime.load(BUILT)


def replace_kernels() -> None:
    """Put the CPU's kernels in the place of torch_npu's."""
    loader = importlib.machinery.ExtensionFileLoader("cpu_kernels", str(BUILT / "cpu_kernels.so"))
    spec = importlib.util.spec_from_file_location("cpu_kernels", BUILT / "cpu_kernels.so", loader=loader)
    kernels = importlib.util.module_from_spec(spec)
    loader.exec_module(kernels)
    kernels.install()
    if file := os.environ.get("NPU_SIM_OPERATORS"):
        import atexit

        def write() -> None:
            with open(file, "a") as out:
                out.writelines(f"{name}\n" for name in kernels.op_log())

        atexit.register(write)


class AfterTorchNPU(importlib.abc.MetaPathFinder):
    """Replaces the kernels as soon as torch_npu has registered them."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch_npu":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            sys.meta_path.remove(self)
            execute = spec.loader.exec_module

            def execute_and_replace(module):
                execute(module)
                replace_kernels()

            spec.loader.exec_module = execute_and_replace
        return spec


start()
sys.meta_path.insert(0, AfterTorchNPU())
