"""Huawei Ascend NPUs for Lightning: ``accelerator: npu`` with strategy ``single_npu`` or ``npu_ddp``."""

from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.strategies import StrategyRegistry

from reid.npu.accelerator import NPUAccelerator
from reid.npu.devices import check_npu, device_count, device_indices
from reid.npu.facts import npu_has_bf16, npu_name, npu_versions
from reid.npu.precision import NPUMixedPrecision, StaticGradScaler, static_scale
from reid.npu.profiler import NPUProfiler
from reid.npu.random_state import random_state, set_random_state
from reid.npu.strategies import NPUDDPStrategy, SingleNPUStrategy

__all__ = [
    "NPUAccelerator",
    "NPUDDPStrategy",
    "NPUMixedPrecision",
    "NPUProfiler",
    "SingleNPUStrategy",
    "StaticGradScaler",
    "check_npu",
    "device_count",
    "device_indices",
    "npu_has_bf16",
    "npu_name",
    "npu_versions",
    "random_state",
    "register",
    "set_random_state",
    "static_scale",
]


def register() -> None:
    """Tell Lightning the names, in this process. Imports no torch_npu; may be called again."""
    if "npu" not in AcceleratorRegistry:
        NPUAccelerator.register_accelerators(AcceleratorRegistry)
    for strategy in (SingleNPUStrategy, NPUDDPStrategy):
        if strategy.strategy_name not in StrategyRegistry:
            strategy.register_strategies(StrategyRegistry)
