"""Networks and what teaches them, from a model section or a checkpoint."""

import logging
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from reid.checkpoint import check_targets, load_network
from reid.modules import TaughtModule
from reid.weights import advice, load_weights

log = logging.getLogger(__name__)

WORDS = ("name", "width", "modules")  # of `config.model`: said there for other values to repeat
READING = ("reading", "flip_test", "flip_shift")  # of `config.model`: not learnt
WEIGHTS = ("trunk_weights", "weights")  # of `config.model`: files to start from, in this order


def plain(section: DictConfig) -> dict[str, Any]:
    """A section as plain values, interpolations resolved."""
    values: dict[str, Any] = OmegaConf.to_container(section, resolve=True)  # type: ignore[assignment]
    return values


def model_section(config: DictConfig) -> dict[str, Any]:
    """What a checkpoint keeps of the configuration: the network, its losses, its name."""
    section = plain(config.model)
    for key in (*WEIGHTS, "strict_weights"):
        section.pop(key, None)
    return section


def build_module(section: dict[str, Any], **settings: Any) -> TaughtModule:
    """The module that a model section describes; ``settings`` are what belongs to the run and the device."""
    arguments = {key: value for key, value in section.items() if key not in WORDS}
    module: TaughtModule = instantiate(arguments, **settings, _convert_="all")
    return module


def training_module(config: DictConfig) -> TaughtModule:
    """A module to be trained: with its optimiser, its schedule and, if asked for, published weights."""
    module = build_module(
        model_section(config),
        optimizer=instantiate(config.optimizer, _convert_="all"),
        schedule=instantiate(config.schedule, _convert_="all"),
        channels_last=config.device.channels_last,
        compile=config.device.compile,
    )
    strict = config.model.get("strict_weights", True)
    for path in (config.model.get(key) for key in WEIGHTS):
        if path is not None:
            log.info(load_weights(module.network, Path(path), strict=strict).summary())
            if line := advice(module.network, path):
                log.warning(line)
    return module


def trained_module(checkpoint: dict[str, Any], config: DictConfig) -> TaughtModule:
    """The module that a checkpoint of ours describes, with its weights.

    How heat maps are read is not learnt: if the configured model is the checkpoint's, its options hold.
    """
    section = dict(checkpoint["reid"]["model"])
    if config.model.name == section.get("name"):
        section |= {key: config.model[key] for key in READING if key in section and key in config.model}
    module = restored(
        section, checkpoint, channels_last=config.device.channels_last, compile=config.device.compile
    )
    module.description = checkpoint["reid"]
    return module


def restored(section: dict[str, Any], checkpoint: dict[str, Any], **settings: Any) -> TaughtModule:
    """The module of a checkpoint's model section, which nobody vouches for, with the checkpoint's weights.

    Raises:
        ValueError: the section names strange classes, or the weights are of another network.
    """
    check_targets(section)
    module = build_module(section, **settings)
    load_network(module.network, checkpoint)
    return module
