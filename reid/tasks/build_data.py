"""Data modules, from the data section and those of further benchmarks."""

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from hydra import compose
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from reid.checkpoint import read_checkpoint
from reid.datamodules import PictureDataModule, ReIDDataModule, VeRiPoseDataModule
from reid.datamodules.predicted import PoseFinder
from reid.deploy import RuntimeNetwork
from reid.modules import PoseModule, TaughtModule
from reid.tasks.build_model import plain, trained_module


def build_datamodule(config: DictConfig) -> PictureDataModule:
    """The data module, its transforms included, and a union's members."""
    section = plain(config.data)
    if is_posed(section):
        return made(section)
    if section["combine_all"]:
        section["num_identities"] = None  # the published number is of the training list alone
    if "of" in section:
        section["of"] = [other_section(config, each) for each in section["of"]]
    return with_finder(made(section), config)


def with_finder(datamodule: PictureDataModule, config: DictConfig) -> PictureDataModule:
    """The data module, with the network that finds its guides, if they are found by one.

    Raises:
        ValueError: no checkpoint, or one of another network.
    """
    if isinstance(datamodule, ReIDDataModule) and datamodule.guides == "pose":
        path = datamodule.pose_checkpoint
        if path is None:
            raise ValueError(
                "data.guides=pose needs data.pose_checkpoint=PATH of a PoseEstNet: train one with model=pose"
                " data=veri_pose, or model=pose data=vehicles_pose"
            )
        datamodule.finder = pose_finder(config, Path(path), said="data.pose_checkpoint")
    return datamodule


def pose_finder(config: DictConfig, path: Path, *, said: str) -> PoseFinder:
    """The PoseEstNet of a checkpoint of ours, frozen.

    Args:
        said: the option that names the checkpoint.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is of another network.
    """
    checkpoint = read_checkpoint(path)
    with torch.random.fork_rng(devices=()):  # the network to be trained starts as it would without this one
        module = trained_module(checkpoint, config)
    if not isinstance(module, PoseModule):
        raise ValueError(
            f"{said}={path} is of {checkpoint['reid']['model'].get('name')}, which finds no keypoints: train"
            " one with model=pose"
        )
    height, width = checkpoint["reid"]["image_size"]
    return PoseFinder(module.eval().requires_grad_(False), (int(height), int(width)))


def is_posed(section: Mapping[str, Any]) -> bool:
    """Whether a data section is of marked keypoints."""
    return issubclass(get_class(section["_target_"]), VeRiPoseDataModule)


def made(section: dict[str, Any]) -> PictureDataModule:
    """The data module of a section; marked keypoints have no use for options of re-identification.

    Raises:
        ValueError: such an option was set all the same.
    """
    if is_posed(section):
        options = signature(ReIDDataModule).parameters
        strange = options.keys() - signature(VeRiPoseDataModule).parameters.keys()
        for key in sorted(strange & section.keys()):
            value = section.pop(key)
            default = options[key].default
            if value and isinstance(default, bool | str) and value != default:
                raise ValueError(
                    f"data.{key}={str(value).lower()} is an option of re-identification, {section['name']}"
                    " has keypoints to be found: leave it out"
                )
    datamodule: PictureDataModule = instantiate(section, _convert_="all")
    return datamodule


def build_others(config: DictConfig) -> list[PictureDataModule]:
    """The benchmarks of ``evaluate_on``, read now: what is missing shall not come out after the training.

    Raises:
        ValueError: two of one name, the configured benchmark's among them, or of another kind.
    """
    others: list[PictureDataModule] = []
    for benchmark in config.evaluate_on:
        section = {**other_section(config, benchmark), "combine_all": False}
        name = section["name"]
        if name in (config.data.name, *(other.name for other in others)):
            raise ValueError(
                f"evaluate_on={list(config.evaluate_on)}: {name} is evaluated already; a variant needs"
                " another name, as {cuhk03: {boxes: labeled, name: cuhk03_labeled}}"
            )
        if is_posed(section) != is_posed(config.data):
            raise ValueError(
                f"evaluate_on={list(config.evaluate_on)}: {name} and {config.data.name} ask for different"
                " things, identities and keypoints"
            )
        others.append(with_finder(made(section), config))
        others[-1].prepare_data()
        others[-1].setup()
    return others


def other_section(config: DictConfig, benchmark: Any) -> dict[str, Any]:
    """The data section of a further benchmark, whose images are prepared as those of the configured one.

    Args:
        benchmark: an option of the group ``data``, or a mapping from it to values other than its file's, as
            ``{cuhk03: {boxes: labeled}}``.

    Raises:
        ValueError: a union, or neither of the two forms.
    """
    name, options = benchmark, dict[str, Any]()
    if isinstance(benchmark, Mapping) and len(benchmark) == 1:
        ((name, options),) = benchmark.items()
    if not isinstance(name, str) or not isinstance(options, Mapping) or name == "union":
        raise ValueError(
            f"{benchmark} is not one benchmark: use an option of the group data other than union, or one and"
            " its values, as {cuhk03: {boxes: labeled}}"
        )
    section = plain(OmegaConf.merge(compose("config", [f"data={name}"]).data, options))  # type: ignore[arg-type]
    facts = ("name", "num_identities", "counts", "attributes")
    kind = VeRiPoseDataModule if is_posed(config.data) else ReIDDataModule
    shared = [key for key in signature(kind).parameters if key not in (*facts, *options)]
    return {**section, **{key: value for key, value in plain(config.data).items() if key in shared}}


def count_classes(config: DictConfig, datamodule: PictureDataModule) -> None:
    """Set the classifiers' sizes, ``data.num_identities`` and ``data.attributes``, where the disk knows."""
    if not isinstance(datamodule, ReIDDataModule):
        return
    if datamodule.num_identities is None or datamodule.attributes is None:
        datamodule.prepare_data()
        datamodule.setup()
        OmegaConf.update(config, "data.num_identities", datamodule.num_identities)
        OmegaConf.update(config, "data.attributes", dict(datamodule.attributes or {}))


def check_channels(module: TaughtModule, datamodule: PictureDataModule) -> None:
    """Refuse images with more planes, or fewer, than the network takes, and a benchmark of something else.

    Raises:
        ValueError: with both numbers, or both names.
    """
    check_kind(type(module), datamodule)
    if not isinstance(datamodule, ReIDDataModule):
        return
    if isinstance(module.network, RuntimeNetwork):
        taken = module.network.runtime.card.channels
    else:
        taken = next(layer for layer in module.network.modules() if isinstance(layer, nn.Conv2d)).in_channels
    if taken != datamodule.channels:
        raise ValueError(
            f"the network takes {taken} channels, images have {datamodule.channels} with"
            f" data.heatmap={str(datamodule.heatmap).lower()} and"
            f" data.segment={str(datamodule.segment).lower()}: use model=multitask, or switch both off"
        )


def check_kind(module: type, datamodule: PictureDataModule) -> None:
    """Refuse keypoints for a module that describes identities, and the other way round.

    Raises:
        ValueError: with both names.
    """
    finds_keypoints = issubclass(module, PoseModule)
    if finds_keypoints != isinstance(datamodule, VeRiPoseDataModule):
        wanted = "data=veri_pose or data=vehicles_pose" if finds_keypoints else "model=pose"
        raise ValueError(
            f"{module.__name__} cannot be used with {datamodule.name}: keypoints are found by model=pose in"
            f" data=veri_pose and data=vehicles_pose; use {wanted}"
        )
