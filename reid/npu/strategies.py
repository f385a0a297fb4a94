"""How one NPU trains, or a process per NPU: Lightning's strategies with what is CUDA's in them put right."""

from datetime import timedelta
from typing import Any

import torch
from pytorch_lightning.overrides.distributed import _register_ddp_comm_hook
from pytorch_lightning.plugins.precision import Precision
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy, Strategy
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from reid.npu.precision import NPUMixedPrecision, for_npu

TIMEOUT = 2400.0  # seconds; above HCCL_EXEC_TIMEOUT's 1836, so that HCCL's own message comes first


class OnNPU(Strategy):
    """Precision as the chip can do it, which is known once the process has its device."""

    @property
    def precision_plugin(self) -> Precision:
        return super().precision_plugin

    @precision_plugin.setter
    def precision_plugin(self, plugin: Precision | None) -> None:
        self._precision_plugin = for_npu(plugin)

    def setup_environment(self) -> None:
        super().setup_environment()
        if isinstance(self.precision_plugin, NPUMixedPrecision):
            self.precision_plugin.fit_to_chip()


class SingleNPUStrategy(OnNPU, SingleDeviceStrategy):
    """One NPU, the one that ``trainer.devices`` names."""

    strategy_name = "single_npu"

    def __init__(self, **options: Any) -> None:
        super().__init__(device="cpu", **options)  # until the trainer sets parallel_devices

    @property
    def parallel_devices(self) -> list[torch.device] | None:
        return None  # Lightning sets the attribute where it finds it empty

    @parallel_devices.setter
    def parallel_devices(self, devices: list[torch.device]) -> None:
        if len(devices) != 1:
            raise ValueError(
                f"trainer.strategy=single_npu drives one NPU, not {len(devices)}: use trainer=npu_8p"
                f" trainer.devices={len(devices)}"
            )
        self._root_device = devices[0]

    @classmethod
    def register_strategies(cls, strategy_registry: Any) -> None:
        strategy_registry.register(cls.strategy_name, cls, description="one NPU")


class NPUDDPStrategy(OnNPU, DDPStrategy):
    """One process per NPU; gradients are averaged over HCCL, host tensors go over gloo.

    Args:
        timeout: seconds that a collective may wait for other ranks.
        process_group_backend: named because torch would choose gloo for devices it does not know.
        options: of Lightning's DDPStrategy and torch's DistributedDataParallel.
    """

    strategy_name = "npu_ddp"

    def __init__(
        self,
        timeout: float | timedelta = TIMEOUT,
        process_group_backend: str = "cpu:gloo,npu:hccl",
        **options: Any,
    ) -> None:
        timeout = timeout if isinstance(timeout, timedelta) else timedelta(seconds=timeout)
        super().__init__(timeout=timeout, process_group_backend=process_group_backend, **options)

    def setup_distributed(self) -> None:
        super().setup_distributed()
        world = torch.distributed.group.WORLD
        assert world is not None
        # torch_npu 2.13 makes no group of host tensors alone, as Lightning's barriers, beside a bound device
        world.bound_device_id = None

    def _setup_model(self, model: nn.Module) -> DistributedDataParallel:
        """As the parent does, on a side stream of the NPU instead of CUDA's."""
        import torch_npu

        with torch_npu.npu.stream(torch_npu.npu.Stream(device=self.root_device)):
            return DistributedDataParallel(
                model, device_ids=self.determine_ddp_device_ids(), **self._ddp_kwargs
            )

    def _register_ddp_hooks(self) -> None:
        """As the parent does, which leaves hooks out on devices other than CUDA's."""
        _register_ddp_comm_hook(
            model=self.model,  # type: ignore[arg-type]
            ddp_comm_state=self._ddp_comm_state,
            ddp_comm_hook=self._ddp_comm_hook,
            ddp_comm_wrapper=self._ddp_comm_wrapper,
        )

    def reduce(self, tensor: Any, group: Any = None, reduce_op: Any = "mean") -> Any:
        """As the parent does; means of whole numbers and float64, which HCCL refuses, go over gloo."""
        if not isinstance(tensor, Tensor) or tensor.device.type != "npu":
            return super().reduce(tensor, group, reduce_op)
        mean = isinstance(reduce_op, str) and reduce_op.lower() in ("mean", "avg")
        if tensor.dtype != torch.float64 and (tensor.is_floating_point() or not mean):
            return super().reduce(tensor, group, reduce_op)
        host = super().reduce(tensor.cpu(), group, "sum" if mean else reduce_op)
        if mean:
            ranks = torch.distributed.get_world_size(group)
            host = torch.div(host, ranks, rounding_mode=None if tensor.is_floating_point() else "trunc")
        return tensor.copy_(host)

    @classmethod
    def register_strategies(cls, strategy_registry: Any) -> None:
        strategy_registry.register(cls.strategy_name, cls, description="DDP over HCCL")
        strategy_registry.register(
            f"{cls.strategy_name}_find_unused_parameters_true",
            cls,
            description="DDP over HCCL that looks for parameters without gradients",
            find_unused_parameters=True,
        )
