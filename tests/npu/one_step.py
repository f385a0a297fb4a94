"""A rank that does by a plugin what a training needs of it, without a training: `one_step.py PLUGIN FILE`."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, distributed, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook

from reid.callbacks import RandomState
from reid.npu import NPUAccelerator, NPUDDPStrategy

RANKS = 2
ROWS, INPUTS, OUTPUTS = 6, 5, 3
FINE = 1 + 2.0**-40  # that only float64 holds
NUMBERS: dict[str, tuple[Callable[[int], Any], torch.dtype, str]] = {  # of a rank, how they are reduced
    "mean of float32": (lambda rank: rank + 0.5, torch.float32, "mean"),
    "mean of int64": (lambda rank: [3 * rank, -3 * rank, 2 * rank], torch.int64, "mean"),
    "sum of int64": (lambda rank: rank + 2**40, torch.int64, "sum"),
    "mean of float64": (lambda rank: FINE + 2 * rank, torch.float64, "avg"),
    "sum of float64": (lambda rank: FINE + 2 * rank, torch.float64, "sum"),
}
Parts = Iterator[tuple[str, Any]]


def rows() -> Tensor:
    """The batch of all ranks, (ROWS, INPUTS)."""
    return torch.arange(ROWS * INPUTS).reshape(ROWS, INPUTS).float().sin()


class Linear(pl.LightningModule):
    """y = Wx, whose loss is the mean over rows of |y|^2 / 2."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(INPUTS, OUTPUTS, bias=False)
        weight = torch.arange(OUTPUTS * INPUTS).reshape(OUTPUTS, INPUTS).float().cos()
        self.layer.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).square().sum(1).mean() / 2


def placed(strategy: NPUDDPStrategy) -> NPUDDPStrategy:
    """The strategy as Lightning's trainer prepares it."""
    strategy.parallel_devices = NPUAccelerator.get_parallel_devices(range(RANKS))
    strategy.cluster_environment = LightningEnvironment()
    return strategy


def gradient(strategy: NPUDDPStrategy) -> list[list[float]]:
    """Of W, after a backward pass through this rank's share of the rows."""
    module = Linear().to(strategy.root_device)
    strategy.model = module
    strategy.configure_ddp()
    share = rows().chunk(RANKS)[distributed.get_rank()].to(strategy.root_device)
    strategy.model(share).backward()
    return module.layer.weight.grad.tolist()


@contextmanager
def recorded(devices: list[str]) -> Iterator[None]:
    """Write down where the tensors lie that torch's all-reduce is given."""
    original = distributed.all_reduce

    def all_reduce(tensor: Tensor, *args: Any, **options: Any) -> Any:
        devices.append(tensor.device.type)
        return original(tensor, *args, **options)

    distributed.all_reduce = all_reduce
    try:
        yield
    finally:
        distributed.all_reduce = original


def reductions(strategy: NPUDDPStrategy) -> dict[str, Any]:
    """Of NUMBERS: the result, its type, and where it was reduced."""
    found = {}
    for name, (number, dtype, operation) in NUMBERS.items():
        tensor = torch.tensor(number(distributed.get_rank()), dtype=dtype).to(strategy.root_device)
        over: list[str] = []
        with recorded(over):
            result = strategy.reduce(tensor, reduce_op=operation)
        found[name] = [result.tolist(), str(result.dtype), result.device.type, over]
    return found


def hooked_gradient(plugin: type[NPUDDPStrategy]) -> dict[str, Any]:
    """The gradient that a communication hook makes of float16 sums, and what it was called with."""
    buckets: list[str] = []

    def hook(state: Any, bucket: distributed.GradBucket) -> torch.futures.Future[Tensor]:
        buckets.append(bucket.buffer().device.type)
        return fp16_compress_hook(state, bucket)

    return {"gradient": gradient(placed(plugin(ddp_comm_hook=hook))), "buckets": buckets}


def draws(device: torch.device) -> dict[str, list[float]]:
    """Numbers drawn after the state is saved, later ones, and those drawn once it is back."""
    saved = RandomState().state_dict()
    first, later = torch.rand(4, device=device), torch.rand(4, device=device)
    resumed = RandomState()
    resumed.load_state_dict(saved)
    resumed.on_train_start(None, Linear().to(device))
    again = torch.rand(4, device=device)
    return {"first": first.tolist(), "later": later.tolist(), "again": again.tolist()}


def statistics(accelerator: NPUAccelerator, device: torch.device) -> dict[str, Any]:
    """Of the device, before and while a tensor of 1 MiB is held."""
    before = accelerator.get_device_stats(device)
    held = torch.zeros(2**18, device=device)
    after = accelerator.get_device_stats(device)
    del held
    return {"before": before, "after": after}


def parts(strategy: NPUDDPStrategy) -> Parts:
    """What the rank finds, one by one."""
    import torch_npu

    accelerator = strategy.accelerator
    placed(strategy).setup_environment()
    device = strategy.root_device
    yield "device", {"current": torch_npu.npu.current_device(), "root": device.index}
    yield "backend", distributed.get_backend_config(distributed.group.WORLD)
    yield "gradient", gradient(strategy)
    yield "reductions", reductions(strategy)
    yield "hooked", hooked_gradient(type(strategy))
    yield "draws", draws(device)
    yield "statistics", statistics(accelerator, device)


class OnAnyDevice(NPUAccelerator):
    """Broken: the process keeps the device that it happens to have."""

    def setup_device(self, device: torch.device) -> None:
        pass


class OneForAll(NPUDDPStrategy):
    """Broken: each rank takes the first device."""

    @property
    def root_device(self) -> torch.device:
        return self.parallel_devices[0]


class Unwrapped(NPUDDPStrategy):
    """Broken: the module trains without DistributedDataParallel."""

    def configure_ddp(self) -> None:
        pass


class StockReduce(NPUDDPStrategy):
    """Broken: Lightning's reduce."""

    reduce = DDPStrategy.reduce


TIMEOUT = 60
PLUGINS: dict[str, Callable[[], NPUDDPStrategy]] = {
    "ours": lambda: NPUDDPStrategy(TIMEOUT, accelerator=NPUAccelerator()),
    "no set_device": lambda: NPUDDPStrategy(TIMEOUT, accelerator=OnAnyDevice()),
    "one device": lambda: OneForAll(TIMEOUT, accelerator=NPUAccelerator()),
    "no DDP": lambda: Unwrapped(TIMEOUT, accelerator=NPUAccelerator()),
    "stock reduce": lambda: StockReduce(TIMEOUT, accelerator=NPUAccelerator()),
    "gloo": lambda: NPUDDPStrategy(TIMEOUT, "gloo", accelerator=NPUAccelerator()),
}


def main(plugin: str, file: Path) -> None:
    found = {}
    for name, value in parts(PLUGINS[plugin]()):
        found[name] = value
        file.write_text(json.dumps(found))  # what is known stays where a later part fails
    distributed.barrier()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
