"""What a network comes from, a checkpoint or an exported file, and what that settles in the configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from reid.checkpoint import check_targets, describe, difference, is_checkpoint
from reid.deploy.answers import interface_of
from reid.deploy.card import Card, find_card
from reid.deploy.foreign import foreign_card
from reid.deploy.runtimes import Runtime, RuntimeNetwork
from reid.modules import TaughtModule
from reid.tasks.build import READING, build_datamodule, build_module, count_classes, model_section

GUIDES = ("heatmap", "segment", "keypoints")


def was_given(key: str) -> bool:
    """Whether the command line sets ``key``."""
    return HydraConfig.initialized() and any(
        override.lstrip("+~").partition("=")[0] == key for override in HydraConfig.get().overrides.task
    )


def one_source(config: DictConfig) -> Path:
    """``checkpoint`` or ``model_file``.

    Raises:
        ValueError: neither or both are given.
    """
    given = [path for path in (config.checkpoint, config.model_file) if path is not None]
    if len(given) != 1:
        raise ValueError(
            f"task={config.task.name} needs one network: give checkpoint=PATH, for example"
            " outputs/.../checkpoints/best.ckpt, or model_file=PATH of an exported file"
        )
    return Path(given[0])


def follow(config: DictConfig, description: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
    """Set what a network knows of its input and its distance, unless the command line does.

    Args:
        description: as checkpoints and cards have it.
        seen: which of the guides the network sees.
    """
    known = {f"data.{switch}": seen.get(switch, False) for switch in GUIDES}
    known |= {
        "data.image_size": list(description["image_size"]),
        "evaluation.distance": description["distance"],
    }
    for key, value in known.items():
        if not was_given(key):
            OmegaConf.update(config, key, value)


def check_model(saved: Mapping[str, Any], config: DictConfig, *, source: str) -> None:
    """Refuse a model named on the command line that is not the source's.

    Args:
        saved: the source's model section.
        source: what the user gave, for the message.

    Raises:
        ValueError: with what differs.
    """
    if not was_given("model"):
        return
    # what there is to classify is the training set's affair
    own = ("model.network.num_identities", "model.network.attributes", *(f"model.{key}" for key in READING))
    lines = [line for line in difference(saved, model_section(config)) if not line.startswith(own)]
    if lines:
        raise ValueError(
            f"{source} is of another model: {saved.get('name')}, not"
            f" {config.model.name} ({'; '.join(lines[:4])}); leave model= out, the file knows its own"
        )


def card_of(config: DictConfig, path: Path) -> Card:
    """What an exported file says about itself, or of one that says nothing what the sentence says about it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a checkpoint, or the sentence says too little, or what is not so.
    """
    card = find_card(path)
    if card is not None:
        check_targets(card.description["model"])
        return card
    if is_checkpoint(path):
        raise ValueError(
            f"model_file={path}: this is a checkpoint: use checkpoint={path}; published weights become one by"
            " task=convert"
        )
    if missing := [key for key in ("model", "data.image_size") if not was_given(key)]:
        raise ValueError(
            f"{path} does not say what it takes, so the sentence must: add"
            f" {' and '.join(f'{key}=' for key in missing)}, as model=osnet data.image_size=[256,128]"
            " (guides by data.heatmap, data.segment, data.keypoints; the distance by evaluation.distance)"
        )
    count_classes(config, build_datamodule(config))
    section = model_section(config)
    interface = interface_of(outline(section).network)
    description = describe(
        section,
        image_size=config.data.image_size,
        distance=config.evaluation.distance,
        data=config.data.name,
    )
    return foreign_card(
        path,
        interface,
        description=description,
        heatmap=config.data.heatmap,
        segment=config.data.segment,
    )


def outline(section: dict[str, Any]) -> TaughtModule:
    """The module that a model section describes, without weights."""
    with torch.device("meta"):
        return build_module(section)


def runtime_module(runtime: Runtime) -> TaughtModule:
    """The module of an exported file's network, with its runtime in the network's place."""
    module = outline(dict(runtime.card.description["model"]))
    module.network = RuntimeNetwork(runtime)
    module.description = dict(runtime.card.description)
    return module


def device_of(config: DictConfig) -> str:
    """Torch's name of the device that a trainer of one process computes on."""
    return {"gpu": "cuda", "auto": "cpu"}.get(config.trainer.accelerator, str(config.trainer.accelerator))
