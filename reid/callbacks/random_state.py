"""Torch's random state travels in the checkpoint, so that a resumed run draws as an uninterrupted one."""

from typing import Any

import pytorch_lightning as pl
import torch

from reid.npu import random_state, set_random_state


class RandomState(pl.Callback):
    """Saves torch's generators and puts them back when a resumed run starts.

    Sampling and augmentation need none of it: their draws follow from (seed, epoch, rank, batch).
    """

    def __init__(self) -> None:
        self._restored: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            state["cuda"] = torch.cuda.get_rng_state()
        if (npu := random_state()) is not None:
            state["npu"] = npu
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if "cpu" in self._restored:
            torch.set_rng_state(self._restored["cpu"])
        if "cuda" in self._restored and pl_module.device.type == "cuda":
            torch.cuda.set_rng_state(self._restored["cuda"], pl_module.device)
        if "npu" in self._restored and pl_module.device.type == "npu":
            set_random_state(self._restored["npu"], pl_module.device)
        self._restored = {}
