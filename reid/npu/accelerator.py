"""The NPU as Lightning's accelerator: one device a process."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import Accelerator

from reid.npu.devices import device_count, device_indices, missing


class NPUAccelerator(Accelerator):
    """Ascend NPUs through torch_npu, which is imported when a trainer asks for them."""

    def setup_device(self, device: torch.device) -> None:
        """Make ``device`` this process's own.

        Raises:
            ValueError: it is no NPU, as where Lightning chose the strategy: it would train on the CPU.
        """
        if device.type != "npu":
            raise ValueError(
                f"trainer.accelerator=npu was given the device {device}: set trainer.strategy to single_npu"
                " or npu_ddp, as trainer=npu and npu_8p do"
            )
        import torch_npu

        torch_npu.npu.set_device(device)
        # else the first chips compile each operator anew for each shape, and keep weights in private formats
        torch_npu.npu.set_compile_mode(jit_compile=False)

    def setup(self, trainer: pl.Trainer) -> None:
        import torch_npu

        torch_npu.npu.reset_peak_memory_stats()

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        """torch_npu's allocator counters, and ``free_bytes`` and ``total_bytes`` of the device."""
        import torch_npu

        free, total = torch_npu.npu.mem_get_info(device)
        return {**torch_npu.npu.memory_stats(device), "free_bytes": free, "total_bytes": total}

    def teardown(self) -> None:
        import torch_npu

        torch_npu.npu.empty_cache()

    @staticmethod
    def parse_devices(devices: Any) -> list[int]:
        return device_indices(devices, count=device_count())

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        return [torch.device("npu", index) for index in devices]

    @staticmethod
    def auto_device_count() -> int:
        return device_count()

    @staticmethod
    def is_available() -> bool:
        return missing() is None

    @staticmethod
    def name() -> str:
        return "npu"

    @classmethod
    def register_accelerators(cls, accelerator_registry: Any) -> None:
        accelerator_registry.register(cls.name(), cls, description="Huawei Ascend NPU, through torch_npu")
