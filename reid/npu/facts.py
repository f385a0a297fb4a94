"""What an NPU and its software say of themselves, to be read before a training."""

import torch


def npu_versions() -> dict[str, str]:
    """Versions of torch_npu and CANN; "unknown" where CANN does not tell."""
    import torch_npu

    try:
        cann = torch_npu.npu.utils.get_cann_version()
    except (RuntimeError, OSError):
        cann = ""
    return {"torch_npu": torch_npu.__version__, "CANN": cann or "unknown"}


def npu_name(device: torch.device) -> str:
    """The chip, as "Ascend910B3"."""
    import torch_npu

    name: str = torch_npu.npu.get_device_name(device)
    return name


def npu_has_bf16() -> bool:
    """Whether the chip of this process multiplies bfloat16."""
    import torch_npu

    return bool(torch_npu.npu.is_bf16_supported())
