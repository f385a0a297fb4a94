"""From sections of the configuration to the objects they describe."""

import logging
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from reid.callbacks import Progress
from reid.checkpoint import check_targets, network_weights, read_checkpoint, write_checkpoint
from reid.datamodules import ReIDDataModule
from reid.modules import ReIDModule
from reid.networks import load_weights
from reid.tasks import hardware

log = logging.getLogger(__name__)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, written whole or not at all and read as data."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(Path(path))


def plain(section: DictConfig) -> dict[str, Any]:
    """A section as plain values, interpolations resolved."""
    values: dict[str, Any] = OmegaConf.to_container(section, resolve=True)  # type: ignore[assignment]
    return values


def build_datamodule(config: DictConfig) -> ReIDDataModule:
    """The data module, its transforms included."""
    datamodule: ReIDDataModule = instantiate(plain(config.data), _convert_="all")
    return datamodule


def model_section(config: DictConfig) -> dict[str, Any]:
    """What a checkpoint keeps of the configuration: the network, its losses, its name."""
    section = plain(config.model)
    section.pop("weights", None)
    return section


def build_module(section: dict[str, Any], **settings: Any) -> ReIDModule:
    """The module that a model section describes; ``settings`` are what belongs to the run and the device."""
    arguments = {key: value for key, value in section.items() if key != "name"}
    module: ReIDModule = instantiate(arguments, **settings, _convert_="all")
    return module


def training_module(config: DictConfig) -> ReIDModule:
    """A module to be trained: with its optimiser, its schedule and, if asked for, published weights."""
    module = build_module(
        model_section(config),
        optimizer=instantiate(config.optimizer, _convert_="all"),
        schedule=instantiate(config.schedule, _convert_="all"),
        channels_last=config.device.channels_last,
        compile=config.device.compile,
    )
    if config.model.weights is not None:
        log.info(load_weights(module.network, Path(config.model.weights)).summary())
    return module


def trained_module(checkpoint: dict[str, Any], config: DictConfig) -> ReIDModule:
    """The module that a checkpoint of ours describes, with its weights."""
    section = checkpoint["reid"]["model"]
    check_targets(section)
    module = build_module(section, channels_last=config.device.channels_last, compile=config.device.compile)
    module.network.load_state_dict(network_weights(checkpoint))
    module.description = checkpoint["reid"]
    return module


def build_trainer(config: DictConfig, callbacks: list[pl.Callback]) -> pl.Trainer:
    """The trainer, quiet where nobody watches."""
    silence()
    hardware.check_accelerator(config.trainer)
    if config.device.reuse_memory:
        hardware.reuse_memory()
    if config.trainer.accelerator == "cpu":
        hardware.use_threads(config.device.threads, processes=hardware.processes(config.trainer))
    logger = instantiate(config.logger, _convert_="all") if "_target_" in (config.logger or {}) else False
    trainer: pl.Trainer = instantiate(
        config.trainer,
        precision=hardware.precision(config.trainer.precision, accelerator=config.trainer.accelerator),
        callbacks=[*callbacks, Progress()],
        plugins=[AtomicCheckpointIO()],
        logger=logger,
        enable_progress_bar=False,  # ours leaves no debris between the lines of epochs
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        default_root_dir=config.paths.output,
        _convert_="all",
    )
    return trainer


def silence() -> None:
    """Keep Lightning's advice that is wrong here off the terminal."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for advice in (
        ".*does not have many workers.*",  # batches are fetched whole
        ".*smaller than the logging interval.*",
        ".*your dataloader is not resumable.*",  # ours starts at the right batch by itself
        ".*were in eval mode at the start of training.*",
        ".*isinstance.treespec, LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", advice)
