"""Which NPUs there are, and what is missing where there are none."""

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

DRIVER_LIBRARIES = ("libascend_hal", "libdrvdsmi")  # in Ascend/driver/lib64, not in CANN's toolkit
STRATEGIES = ("single_npu", "npu_ddp")


@cache
def missing() -> str | None:
    """What this machine lacks to use an NPU, and the remedy, as half a sentence; None if nothing."""
    try:
        import torch_npu
    except ModuleNotFoundError as error:
        wanted = f"torch_npu=={torch.__version__.split('+')[0]}" if error.name == "torch_npu" else error.name
        return f"torch_npu is not installed ({error}): pip install {wanted}"
    except (ImportError, OSError) as error:
        if any(name in str(error) for name in DRIVER_LIBRARIES):
            return f"the NPU driver is not there ({error}): install it and check npu-smi info"
        if "cannot open shared object" in str(error):
            return f"torch_npu finds no CANN libraries ({error}): source set_env.sh of CANN's toolkit"
        return f"torch_npu does not fit torch {torch.__version__} ({error}): install the same version of both"
    except RuntimeError as error:  # torch_npu's own checks: another accelerator, or half of CANN's settings
        return f"torch_npu refuses to start ({' '.join(str(error).split('[ERROR]')[0].split())})"
    if not torch_npu.npu.is_available():
        return (
            "torch_npu and CANN are there, but no NPU is: load the driver, check npu-smi info and"
            f" ASCEND_RT_VISIBLE_DEVICES ({visible()})"
        )
    return None


def visible() -> str:
    """What the environment says about the devices that this process may see."""
    return (
        f"now {value!r}" if (value := os.environ.get("ASCEND_RT_VISIBLE_DEVICES")) is not None else "not set"
    )


def device_count() -> int:
    """How many NPUs this process may use."""
    if missing():
        return 0
    import torch_npu

    count: int = torch_npu.npu.device_count()
    return count


def device_indices(devices: Any, *, count: int) -> list[int]:
    """The indices that Lightning's ``devices`` means: 8, "8", -1, "auto", "0,2" or [0, 2].

    Args:
        count: how many NPUs there are.

    Raises:
        ValueError: it means none, one twice, or one that is not there.
    """
    asked = f"trainer.devices={devices}".replace(" ", "")
    remedy = "use how many, a list of indices such as [0,1], or -1 for all"
    try:
        if devices in ("auto", "-1", -1):
            chosen = list(range(count))
        elif isinstance(devices, str) and "," in devices:
            chosen = [int(part) for part in devices.split(",") if part.strip()]
        elif isinstance(devices, Sequence) and not isinstance(devices, str):
            chosen = [int(part) for part in devices]
        else:
            chosen = list(range(int(devices)))
            if len(chosen) > count:
                raise ValueError(
                    f"{asked}, but this process sees {count} NPU{'s'[: count != 1]}"
                    f" (ASCEND_RT_VISIBLE_DEVICES: {visible()}): set trainer.devices={count}"
                    + (", or use trainer=npu" if count == 1 else "")
                )
    except TypeError as error:
        raise ValueError(f"{asked} names no NPUs: {remedy}") from error
    except ValueError as error:
        if "invalid literal" not in str(error):
            raise
        raise ValueError(f"{asked} names no NPUs: {remedy}") from error
    if not chosen:
        raise ValueError(f"{asked} names no NPUs: {remedy}")
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"{asked} names an NPU twice: one process drives each, so name each once")
    if beyond := [index for index in chosen if not 0 <= index < count]:
        raise ValueError(
            f"{asked}: there is no NPU {beyond[0]}, this process sees 0..{count - 1}"
            f" (ASCEND_RT_VISIBLE_DEVICES: {visible()})"
        )
    return chosen


def check_npu(devices: Any, *, strategy: Any) -> None:
    """Refuse a trainer on NPUs that cannot start, before anything waits for the others.

    Args:
        devices: as Lightning's Trainer takes them.
        strategy: its name, or an object.

    Raises:
        ValueError: with what is missing (torch_npu, CANN, driver, devices), or with what to use instead.
    """
    if isinstance(strategy, str) and not strategy.startswith(STRATEGIES):
        raise ValueError(
            f"trainer.strategy={strategy} knows no NPU: use trainer=npu (single_npu) or npu_8p (npu_ddp)"
        )
    if strategy == "single_npu" and (asked_for := how_many(devices)) > 1:
        raise ValueError(
            f"trainer.strategy=single_npu drives one NPU, trainer.devices={devices} are {asked_for}:"
            " use trainer=npu_8p with these devices"
        )
    if what := missing():
        raise ValueError(f"trainer.accelerator=npu: {what}; or use trainer=cpu (docs/ascend.md)")
    device_indices(devices, count=device_count())


def how_many(devices: Any) -> int:
    """How many devices are asked for, as far as that does not depend on the machine; else 1."""
    if isinstance(devices, str):
        devices = int(devices) if devices.isdecimal() else devices.split(",")
    return len(devices) if isinstance(devices, Sequence) else int(devices or 1)
