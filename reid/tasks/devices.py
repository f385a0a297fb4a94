"""Whether a trainer's devices work: what they are, a sum over ranks, a few steps of the configured model."""

import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from reid.checks import Finding
from reid.deploy.timing import peak_memory, synchronize
from reid.launch import started_by
from reid.npu import device_count, npu_has_bf16, npu_name, npu_versions
from reid.tasks import hardware
from reid.tasks.build import (
    build_datamodule,
    build_trainer,
    check_channels,
    check_kind,
    count_classes,
    learning_rate,
    training_module,
)

STEPS = 6  # of training; the first is not timed: allocators and compilers warm up
SUMS = 5  # all-reduces; the first, which makes the connections, is not timed
NUMBERS = 2**20  # float32 in each of them, 4 MiB


def wants_devices(config: DictConfig) -> bool:
    """Whether ``task.devices`` asks for a look at the devices.

    Raises:
        ValueError: another value than auto, true and false.
    """
    wanted, trainer = config.task.devices, config.trainer
    if wanted == "auto":
        return bool(trainer.accelerator != "cpu" or trainer.strategy != "auto" or started_by() is not None)
    if not isinstance(wanted, bool):
        raise ValueError(f"task.devices={wanted}: use auto, true or false")
    return wanted


def try_devices(config: DictConfig) -> list[Finding]:
    """Start the configured trainer's processes and let them sum and train for a moment.

    Returns:
        On rank 0 a finding a line of the checklist, errors among them; on the others nothing.

    Raises:
        ValueError: what a training would raise: a device, torch_npu, CANN or a driver is missing.
    """
    folder = Path(config.paths.output)
    pl.seed_everything(config.seed, workers=False, verbose=False)
    trial = OmegaConf.merge(
        config,
        {
            "trainer": {
                "max_epochs": 1,
                "min_epochs": None,
                "max_steps": -1,
                "limit_train_batches": STEPS,
                "limit_val_batches": 0,
                "accumulate_grad_batches": 1,
                "log_every_n_steps": 1,
            },
            "logger": None,
        },
    )
    assert isinstance(trial, DictConfig)
    checklist = Checklist(trial)
    trainer = build_trainer(trial, [checklist])  # first: where devices are missing, nothing else matters
    datamodule = build_datamodule(trial)
    check_kind(get_class(trial.model._target_), datamodule)
    count_classes(trial, datamodule)
    module = training_module(trial)
    check_channels(module, datamodule)
    rate = learning_rate(trial, processes=trainer.world_size)
    module.make_optimizer = instantiate(trial.optimizer, lr=rate, _convert_="all")
    folder.mkdir(parents=True, exist_ok=True)
    trainer.fit(module, datamodule)
    return checklist.findings if trainer.is_global_zero else []


class Checklist(pl.Callback):
    """Looks at this rank's device, sums over all ranks, and times the steps of a short training.

    Args:
        config: of the run.
    """

    def __init__(self, config: DictConfig) -> None:
        self.config = config
        self.findings: list[Finding] = []
        self._mark = 0.0
        self._seconds: list[float] = []
        self._losses: list[Tensor] = []
        self._images = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        device = pl_module.device
        self.findings += [versions(device), self._devices(trainer, device), bf16(device, trainer)]
        self.findings.append(self._sum(trainer, device))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        synchronize(str(pl_module.device))
        self._mark = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        synchronize(str(pl_module.device))
        self._seconds.append(time.perf_counter() - self._mark)
        self._losses.append(outputs["loss"].detach().float())
        self._images = len(batch["image"])

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.findings += [self._step(trainer, pl_module), memory(trainer, pl_module.device)]

    def _devices(self, trainer: pl.Trainer, device: torch.device) -> Finding:
        own = -1 if device.index is None else device.index
        indices = gathered(torch.tensor([own], device=device), trainer)
        asked = hardware.processes(self.config.trainer) * trainer.num_nodes
        found = {"npu": device_count, "cuda": torch.cuda.device_count}.get(device.type)
        here = f"{found()} of {device.type} on this machine" if found else "processes share the CPU"
        words = f"{asked} asked, {trainer.world_size} processes work; {here}"
        if found:
            words += f", of which ranks use {', '.join(str(int(index)) for index in indices)}"
        local = indices[: trainer.num_devices].tolist()
        right = found is None or len(set(local)) == len(local)
        return Finding("note" if right else "error", "devices", words)

    def _sum(self, trainer: pl.Trainer, device: torch.device) -> Finding:
        ranks = trainer.world_size
        wanted = ranks * (ranks + 1) / 2
        seconds, right = [], True
        for _ in range(SUMS):
            numbers = torch.full((NUMBERS,), trainer.global_rank + 1.0, device=device)
            synchronize(str(device))
            started = time.perf_counter()
            total = trainer.strategy.reduce(numbers, reduce_op="sum")
            synchronize(str(device))
            seconds.append(time.perf_counter() - started)
            right &= bool((total == wanted).all())
        agreed = bool(gathered(torch.tensor([int(right)], device=device), trainer).all())
        backend = (
            f" by {torch.distributed.get_backend()}"
            if ranks > 1 and torch.distributed.is_initialized()
            else ""
        )
        if not agreed:
            return Finding("error", "all-reduce", f"the sum over {ranks} ranks{backend} is not {wanted:g}")
        return Finding(
            "note",
            "all-reduce",
            f"{NUMBERS * 4 >> 20} MiB summed over {ranks} ranks{backend}, rightly, in"
            f" {1000 * statistics.median(seconds[1:]):.2f} ms",
        )

    def _step(self, trainer: pl.Trainer, module: pl.LightningModule) -> Finding:
        losses = torch.stack(self._losses)
        finite = gathered(torch.isfinite(losses).all().int()[None], trainer)
        if not finite.all():
            ranks = [rank for rank, fine in enumerate(finite.tolist()) if not fine]
            words = f"the loss is not finite on ranks {ranks}: {losses.tolist()}"
            return Finding("error", "training-step", words)
        timed = self._seconds[1:] or self._seconds
        slowest = gathered(torch.tensor([statistics.median(timed)], device=module.device), trainer).max()
        speed = self._images * trainer.world_size / float(slowest)
        return Finding(
            "note",
            "training-step",
            f"{self.config.model.name} in {trainer.precision}, {self._images} images a rank: loss"
            f" {float(losses[-1]):.4g} after {len(losses)} steps, {1000 * float(slowest):.1f} ms a step"
            f" (median of {len(timed)}, the slowest rank's), {speed:.1f} images/s without loading",
        )


def versions(device: torch.device) -> Finding:
    """Software, and the device's name."""
    names: dict[str, Callable[[torch.device], str]] = {"npu": npu_name, "cuda": torch.cuda.get_device_name}
    known = {"torch": torch.__version__, "Lightning": version("pytorch_lightning")}
    if device.type == "npu":
        known |= npu_versions()
    elif device.type == "cuda":
        known["CUDA"] = str(torch.version.cuda)
    name = names[device.type](device) if device.type in names else platform.processor() or platform.machine()
    return Finding(
        "note", "versions", ", ".join(f"{key} {value}" for key, value in known.items()) + f"; {name}"
    )


def bf16(device: torch.device, trainer: pl.Trainer) -> Finding:
    """Whether the device multiplies bfloat16."""
    asks: dict[str, Callable[[], bool]] = {"npu": npu_has_bf16, "cuda": torch.cuda.is_bf16_supported}
    fine = asks.get(device.type, hardware.has_bf16_units)()
    wanted = str(trainer.precision).startswith("bf16")
    words = "yes" if fine else "no" + (", and trainer.precision asks for it: slow" if wanted else "")
    return Finding("warning" if wanted and not fine else "note", "bf16", f"bfloat16 in hardware: {words}")


def memory(trainer: pl.Trainer, device: torch.device) -> Finding:
    """The most that any rank has held."""
    what = "of the process" if device.type == "cpu" else "of tensors"
    peak = torch.tensor([peak_memory(str(device))], device=device)
    most = float(gathered(peak, trainer).max())
    return Finding("note", "memory", f"peak {most / 1e3:.2f} GB {what}, on the rank that holds most")


def gathered(values: Tensor, trainer: pl.Trainer) -> Tensor:
    """(1,) of this rank to (N,) of all."""
    return trainer.strategy.all_gather(values).flatten().cpu()
