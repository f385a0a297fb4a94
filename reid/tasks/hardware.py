"""What this machine is good at, and settings that make the most of it."""

import ctypes
import os
import platform
import sys

import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.plugins import MixedPrecision, Precision

from reid.npu import NPUMixedPrecision, StaticGradScaler, check_npu, static_scale


def processes(trainer: DictConfig) -> int:
    """How many processes a trainer starts on this machine; 1 where it finds out itself ("auto", -1)."""
    devices = trainer.devices
    if isinstance(devices, str):
        devices = devices.split(",") if "," in devices else int(devices) if devices.isdigit() else 1
    return max(1, devices if isinstance(devices, int) else len(devices))


def chosen(trainer: DictConfig) -> list[int] | None:
    """Which devices a trainer names, in the order of local ranks; None where it only says how many."""
    devices = trainer.devices
    if isinstance(devices, str):
        return [int(number) for number in devices.split(",") if number.strip()] if "," in devices else None
    return None if isinstance(devices, int) else [int(number) for number in devices]


def has_bf16_units() -> bool:
    """Whether the CPU multiplies bfloat16 natively: in software it would be slower than float32."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def precision(wanted: str, *, accelerator: str) -> str:
    """Lightning's name for the precision that "auto" stands for on this machine."""
    if wanted != "auto":
        return wanted
    if accelerator == "cpu":
        return "bf16-mixed" if has_bf16_units() else "32-true"
    return "16-mixed"


def precision_plugin(precision: str, *, accelerator: str, loss_scale: float | str) -> Precision | None:
    """What ``trainer.precision`` cannot say: an NPU's mixed precision, a constant loss scale; or None."""
    static = static_scale(loss_scale)
    if accelerator == "npu" and precision in ("16-mixed", "bf16-mixed"):
        return NPUMixedPrecision(precision, loss_scale)  # type: ignore[arg-type]
    return None if static is None else MixedPrecision("16-mixed", "cuda", StaticGradScaler("cuda", static))


def check_loss_scale(loss_scale: float | str, trainer: DictConfig) -> None:
    """Refuse a constant loss scale where nothing is scaled.

    Raises:
        ValueError: no loss scale, or another precision than 16-mixed.
    """
    used = precision(trainer.precision, accelerator=trainer.accelerator)
    if static_scale(loss_scale) is not None and (used != "16-mixed" or trainer.accelerator == "cpu"):
        raise ValueError(
            f"device.loss_scale={loss_scale} belongs to trainer.precision=16-mixed on a GPU or an NPU, not to"
            f" {used} on {trainer.accelerator}: leave it dynamic"
        )


def use_threads(wanted: int | None, *, processes: int) -> None:
    """Set how many threads a process computes with on the CPU.

    Args:
        wanted: as many; if None, the cores shared among ``processes``, less one core of the machine:
            threads wait for the slowest of them, so one busy neighbour would hold up all.
    """
    if wanted is None:
        if "OMP_NUM_THREADS" in os.environ and processes == 1:
            return
        wanted = max(1, ((os.cpu_count() or 1) - 1) // processes)
    torch.set_num_threads(wanted)


def reuse_memory() -> bool:
    """Let glibc keep what it frees: else every batch maps its activations anew and faults in each page.

    Returns:
        Whether the C library has the setting (glibc only).
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h
    libc = ctypes.CDLL("libc.so.6")
    return bool(
        libc.mallopt(mmap_max, 0) and libc.mallopt(trim_threshold, 2**31 - 1) and libc.mallopt(top_pad, 2**28)
    )


def check_accelerator(trainer: DictConfig, *, channels_last: bool = False) -> None:
    """Refuse a trainer whose device is not there.

    Raises:
        ValueError: no GPU or NPU, or too few; ``channels_last`` on an NPU.
    """
    if trainer.accelerator == "npu":
        if channels_last:
            raise ValueError("device.channels_last=true: an NPU has no NHWC tensors, set it to false")
        settings = OmegaConf.to_container(trainer, resolve=True)
        check_npu(settings["devices"], strategy=settings["strategy"])  # type: ignore[index,call-overload]
        return
    if trainer.accelerator not in ("cuda", "gpu"):
        return
    found = torch.cuda.device_count()
    wanted = processes(trainer)
    if found == 0:
        raise ValueError(
            f"trainer.accelerator={trainer.accelerator} needs an NVIDIA GPU, torch {torch.__version__} sees"
            " none: use trainer=cpu, or install a CUDA build of torch and check nvidia-smi"
        )
    if wanted > found:
        raise ValueError(
            f"trainer.devices={wanted}, but {found} GPUs are visible: set trainer.devices={found}, or"
            " CUDA_VISIBLE_DEVICES"
        )
