"""The random state of this process's NPU, for checkpoints."""

import sys

import torch
from torch import Tensor


def random_state() -> Tensor | None:
    """The generator's state of the current NPU, (16,) uint8 on the CPU; None where no NPU is in use."""
    if "torch_npu" not in sys.modules:
        return None
    import torch_npu

    return torch_npu.npu.get_rng_state() if torch_npu.npu.is_initialized() else None  # type: ignore[no-any-return]


def set_random_state(state: Tensor, device: torch.device) -> None:
    """Put a state of `random_state` back, on ``device``."""
    import torch_npu

    torch_npu.npu.set_rng_state(state, device)
