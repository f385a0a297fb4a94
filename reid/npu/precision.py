"""Mixed precision on NPUs: autocast, and the loss scaling that the chip at hand needs."""

from typing import Any, Literal

import torch
from pytorch_lightning.plugins import MixedPrecision


class StaticGradScaler(torch.amp.GradScaler):
    """One loss scale for the whole training; a step with infinite or undefined gradients is left out.

    Args:
        device: the type of the devices.
        scale: the factor, as the seeds' 128 or 64 (apex's ``loss_scale``).
    """

    def __init__(self, device: str, scale: float) -> None:
        super().__init__(device, init_scale=scale)
        self.constant = scale

    def update(self, new_scale: float | torch.Tensor | None = None) -> None:
        super().update(self.constant)


class NPUMixedPrecision(MixedPrecision):
    """``16-mixed`` or ``bf16-mixed`` on an NPU.

    Args:
        precision: the one or the other.
        loss_scale: of 16-mixed: "dynamic", or a constant factor.

    Raises:
        ValueError: another precision or loss scale.
    """

    def __init__(
        self,
        precision: Literal["16-mixed", "bf16-mixed"] = "16-mixed",
        loss_scale: float | Literal["dynamic"] = "dynamic",
    ) -> None:
        self.static_scale = static_scale(loss_scale)
        scaler = self._scaler() if precision == "16-mixed" else None
        super().__init__(precision, "npu", scaler)

    def fit_to_chip(self) -> None:
        """Choose what this process's device can do; asked before `set_device`, torch_npu would wake NPU 0.

        Raises:
            ValueError: bf16-mixed on a chip without bfloat16.
        """
        import torch_npu

        if self.precision == "bf16-mixed" and not torch_npu.npu.is_bf16_supported():
            raise ValueError(
                f"trainer.precision=bf16-mixed: {torch_npu.npu.get_device_name()} has no bfloat16, use"
                " trainer.precision=16-mixed"
            )
        if self.scaler is None or torch_npu.npu.utils.is_support_inf_nan():
            return
        # The first 910 turns overflow into its largest number: gradients hold no infinity to find.
        # torch_npu's scaler reads the chip's overflow flag, and makes all ranks leave the step out together.
        from torch_npu.npu.amp import GradScaler

        static = self.static_scale
        self.scaler = GradScaler() if static is None else GradScaler(init_scale=static, dynamic=False)

    def _scaler(self) -> torch.amp.GradScaler:
        static = self.static_scale
        return torch.amp.GradScaler("npu") if static is None else StaticGradScaler("npu", static)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if (
            self.scaler is not None and state_dict
        ):  # torch_npu's scaler wants a key that torch's does not write
            self.scaler.load_state_dict({"dynamic": self.static_scale is None, **state_dict})


def static_scale(loss_scale: float | str) -> float | None:
    """The constant loss scale; None if it is dynamic.

    Raises:
        ValueError: neither "dynamic" nor a positive number.
    """
    if loss_scale == "dynamic":
        return None
    if isinstance(loss_scale, (int, float)) and not isinstance(loss_scale, bool) and loss_scale > 0:
        return float(loss_scale)
    raise ValueError(f"device.loss_scale={loss_scale}: use dynamic, or a positive number such as 128")


def for_npu(plugin: Any) -> Any:
    """The plugin to use in place of ``plugin``: Lightning 2.6 takes each device it does not know for CUDA."""
    if type(plugin) is MixedPrecision and plugin.device == "cuda":
        return NPUMixedPrecision(plugin.precision)  # type: ignore[arg-type]
    return plugin
