"""The trainer, its logger, plugins and profiler, and the callback that scores."""

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler

from reid.callbacks import BindCores, EndTogether, Progress, Scorer
from reid.checkpoint import read_checkpoint, write_checkpoint
from reid.npu import NPUProfiler
from reid.npu import register as register_npu
from reid.tasks import hardware
from reid.tasks.build_model import plain
from reid.tasks.world import check_world

OURS = ("scale_lr", "bind_cores", "rank_table")  # of `config.trainer`: what Lightning's Trainer does not know
PROFILERS = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
    "npu": NPUProfiler,
}


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, written whole or not at all and read as data."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(Path(path))


def build_scorer(config: DictConfig) -> Scorer:
    """The callback that scores evaluations.

    Raises:
        ValueError: it was taken out of the configuration.
    """
    for part in config.callbacks.values():
        if part and issubclass(get_class(part._target_), Scorer):
            scorer: Scorer = instantiate(part, _convert_="all")
            return scorer
    raise ValueError(
        "conf/callbacks: nothing scores an evaluation; use callbacks=default, or pose for keypoints"
    )


def build_trainer(config: DictConfig, callbacks: list[pl.Callback]) -> pl.Trainer:
    """The trainer, quiet where nobody watches."""
    for name, value in config.device.environment.items():
        os.environ.setdefault(name, str(value))
    register_npu()
    check_world(config.trainer)
    check_trial(config.trainer)
    hardware.check_loss_scale(config.device.loss_scale, config.trainer)
    hardware.check_accelerator(config.trainer, channels_last=config.device.channels_last)
    silence()  # torch_npu, which the check imports, puts filters of its own in front
    if config.device.reuse_memory:
        hardware.reuse_memory()
    if config.trainer.accelerator == "cpu":
        hardware.use_threads(config.device.threads, processes=hardware.processes(config.trainer))
    logger = instantiate(config.logger, _convert_="all") if "_target_" in (config.logger or {}) else False
    ending = EndTogether()
    accelerator = config.trainer.accelerator
    precision = hardware.precision(config.trainer.precision, accelerator=accelerator)
    loss_scale = config.device.loss_scale
    plugin = hardware.precision_plugin(precision, accelerator=accelerator, loss_scale=loss_scale)
    trainer: pl.Trainer = instantiate(
        {key: value for key, value in plain(config.trainer).items() if key not in OURS},
        precision=None if plugin else precision,
        callbacks=[
            *([BindCores(config.device.threads)] if config.trainer.bind_cores else []),
            *callbacks,
            Progress(),
            ending,
        ],
        plugins=[AtomicCheckpointIO(), *([plugin] if plugin else [])],
        logger=logger,
        profiler=profiler(config.trainer.profiler, Path(config.paths.output)),
        enable_progress_bar=False,  # ours leaves no debris between the lines of epochs
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        default_root_dir=config.paths.output,
        _convert_="all",
    )
    ending.watch(trainer)
    return trainer


def check_trial(trainer: DictConfig) -> None:
    """Refuse Lightning's trials that shorten evaluations.

    Raises:
        ValueError: with what to use instead.
    """
    for key in ("fast_dev_run", "overfit_batches"):
        if trainer[key]:
            raise ValueError(
                f"trainer.{key}={trainer[key]}: it would rank a part of a gallery, which says nothing; use"
                " trainer.max_epochs=1 trainer.limit_train_batches=3"
            )


def profiler(kind: Any, folder: Path) -> Any:
    """Lightning's profiler of a name, writing into ``folder``; what is no name is its own.

    Raises:
        ValueError: an unknown name, or npu where there is none.
    """
    if not isinstance(kind, str):
        return None if kind is None else instantiate(kind, _convert_="all")
    if kind not in PROFILERS:
        raise ValueError(f"trainer.profiler={kind}: use {', '.join(PROFILERS)} or null")
    return PROFILERS[kind](dirpath=folder, filename="profile")


def learning_rate(config: DictConfig, *, processes: int) -> float:
    """``optimizer.lr`` by the rule of ``trainer.scale_lr``.

    Raises:
        ValueError: another rule than none and linear.
    """
    rule, rate = config.trainer.scale_lr, config.optimizer.lr
    if rule not in (None, "none", "linear"):
        raise ValueError(f"trainer.scale_lr={rule}: use none, or linear (optimizer.lr times the processes)")
    return rate * processes if rule == "linear" else rate  # type: ignore[no-any-return]


def silence() -> None:
    """Keep Lightning's advice that is wrong here off the terminal."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for words in (
        ".*does not have many workers.*",  # batches are fetched whole
        ".*smaller than the logging interval.*",
        ".*your dataloader is not resumable.*",  # ours starts at the right batch by itself
        ".*were in eval mode at the start of training.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*when logging on epoch level in distributed setting.*",  # figures are broadcast first
        ".*all_gather is deprecated.*",  # Lightning's call
    ):
        warnings.filterwarnings("ignore", words)
