"""From sections of the configuration to the objects they describe."""

import logging
import os
import warnings
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra import compose
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.profilers import AdvancedProfiler, PyTorchProfiler, SimpleProfiler
from torch import nn

from reid.callbacks import BindCores, EndTogether, Progress, Scorer
from reid.checkpoint import check_targets, load_network, read_checkpoint, write_checkpoint
from reid.datamodules import PictureDataModule, ReIDDataModule, VeRiPoseDataModule
from reid.datamodules.predicted import PoseFinder
from reid.deploy import RuntimeNetwork
from reid.modules import PoseModule, TaughtModule
from reid.npu import NPUProfiler
from reid.npu import register as register_npu
from reid.tasks import hardware
from reid.tasks.world import check_world
from reid.weights import advice, load_weights

log = logging.getLogger(__name__)

WORDS = ("name", "width", "modules")  # of `config.model`: said there for other values to repeat
READING = ("reading", "flip_test", "flip_shift")  # of `config.model`: not learnt
WEIGHTS = ("trunk_weights", "weights")  # of `config.model`: files to start from, in this order
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


def plain(section: DictConfig) -> dict[str, Any]:
    """A section as plain values, interpolations resolved."""
    values: dict[str, Any] = OmegaConf.to_container(section, resolve=True)  # type: ignore[assignment]
    return values


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
    check_targets(section)
    if config.model.name == section.get("name"):
        section |= {key: config.model[key] for key in READING if key in section and key in config.model}
    module = build_module(section, channels_last=config.device.channels_last, compile=config.device.compile)
    load_network(module.network, checkpoint)
    module.description = checkpoint["reid"]
    return module


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
