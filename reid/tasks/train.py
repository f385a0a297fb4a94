"""task=train: fit, keep the best epoch, evaluate it, leave a page of results."""

import logging
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from reid.callbacks import EpochTable, Scorer, Throughput
from reid.checkpoint import describe, difference, network_weights, read_checkpoint
from reid.modules import TaughtModule
from reid.plots import plot_training
from reid.tasks.build import (
    WEIGHTS,
    build_datamodule,
    build_others,
    build_trainer,
    check_channels,
    check_kind,
    count_classes,
    learning_rate,
    model_section,
    training_module,
)
from reid.tasks.check import before_training
from reid.tasks.evaluate import check_each, evaluate_each
from reid.tasks.logged import go_on_in_run, log_choices
from reid.tasks.report import leave_results
from reid.tasks.thresholds import look_for_threshold, match_threshold, store_threshold
from reid.tasks.training_pictures import draw_training

log = logging.getLogger(__name__)

Kind = TypeVar("Kind")


def train(config: DictConfig) -> float:
    """Train as configured.

    Returns:
        The best epoch's mAP, or PCK of keypoints, a fraction.
    """
    folder = Path(config.paths.output)
    pl.seed_everything(config.seed, workers=False, verbose=False)
    datamodule = build_datamodule(config)
    check_kind(get_class(config.model._target_), datamodule)
    before_training(datamodule, extent=config.check, same_camera=config.evaluation.same_camera)
    count_classes(config, datamodule)
    section = model_section(config)
    if config.resume is not None:
        prepare_resume(config, section)
    others = build_others(config)
    module = training_module(config)
    check_channels(module, datamodule)
    module.description = describe(
        section,
        image_size=datamodule.image_size,
        distance=config.evaluation.distance,
        data=datamodule.name,
    )
    callbacks = {name: instantiate(part, _convert_="all") for name, part in config.callbacks.items() if part}
    scorer, table = only(callbacks, Scorer), only(callbacks, EpochTable)
    check_each(others, scorer)
    trainer = build_trainer(config, list(callbacks.values()))
    rate = learning_rate(config, processes=trainer.world_size)
    module.make_optimizer = instantiate(config.optimizer, lr=rate, _convert_="all")
    if trainer.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
        draw_training(datamodule, folder / "plots" / "guides.png")
    log_choices(config, trainer)
    announce(config, module, datamodule, trainer)
    trainer.fit(module, datamodule, ckpt_path=config.resume, weights_only=True)

    best = folder / "checkpoints" / "best.ckpt"
    load_best(best, module, trainer)
    look_for_threshold(scorer)
    vocabulary = datamodule.vocabulary
    results = evaluate_each([datamodule, *others], module, trainer, scorer, vocabulary=vocabulary)
    if trainer.is_global_zero:
        threshold = match_threshold(results[0][1], scorer, benchmark=datamodule.name)
        store_threshold(threshold, best)
        plot_training(table.rows, folder / "plots" / "training.png")
        leave_results(
            config,
            results,
            trainer,
            extra={
                "epoch": best_epoch(table.rows, scorer.monitor),
                "train_images_per_second": only(callbacks, Throughput).images_per_second,
                **({"match_threshold": threshold} if threshold else {}),
            },
        )
    return scorer.score(results[0][1])


def load_best(path: Path, module: TaughtModule, trainer: pl.Trainer) -> None:
    """Give every rank the weights in the first one's folder, which others may not see."""
    weights = None
    if trainer.is_global_zero and path.is_file():
        weights = network_weights(read_checkpoint(path))
    if trainer.world_size > 1:
        weights = trainer.strategy.broadcast(weights)
    if weights is not None:
        module.network.load_state_dict(weights)


def prepare_resume(config: DictConfig, section: dict[str, Any]) -> None:
    """See that ``resume`` is of the model that is configured, and let wandb go on in its run.

    Raises:
        ValueError: it is of another model, or of no training.
    """
    path = Path(config.resume)
    checkpoint = read_checkpoint(path)
    if "optimizer_states" not in checkpoint:
        raise ValueError(
            f"resume={path} holds weights alone (task=convert) and no training to go on with: start a new one"
            f" from them with model.weights={path}"
        )
    saved = checkpoint["reid"]["model"]
    if lines := difference(saved, section):
        raise ValueError(
            f"resume={path} is a checkpoint of another model ({saved.get('name')}): {'; '.join(lines[:4])}."
            " Resume with the options it was trained with (they stand in config.yaml of its run)"
        )
    go_on_in_run(config, checkpoint)


def announce(config: DictConfig, module: Any, datamodule: Any, trainer: pl.Trainer) -> None:
    """Say what is about to happen."""
    if not trainer.is_global_zero:
        return
    parameters = sum(p.numel() for p in module.network.parameters())
    height, width = datamodule.image_size
    base = config.optimizer.lr
    rate = learning_rate(config, processes=trainer.world_size)
    rule = f", learning rate {rate:g} ({base:g} x {trainer.world_size} processes)" if rate != base else ""
    log.info(
        f"{config.model.name} ({parameters:,} parameters) on {datamodule.name}, {height}x{width},"
        f" {config.trainer.max_epochs} epochs, {trainer.world_size} x {trainer.strategy.root_device.type},"
        f" {trainer.precision}{rule}; results in {config.paths.output}"
    )
    started = config.resume or any(config.model.get(key) for key in WEIGHTS)
    if config.published is not None and not started:
        key = next(key for key in WEIGHTS if key in config.model)
        log.warning(
            f"model.{key} is not set: the published result starts from ImageNet weights (model.{key}=PATH)"
        )
    if config.model.get("loss_weights", {}).get("triplet") and config.data.sampler == "random":
        log.warning(
            "The triplet loss needs several images of an identity in a batch: set data.sampler=identity"
        )


def only(callbacks: dict[str, Any], kind: type[Kind]) -> Kind:
    """The first callback of a kind.

    Raises:
        ValueError: it was taken out of the configuration.
    """
    for callback in callbacks.values():
        if isinstance(callback, kind):
            return callback
    raise ValueError(f"conf/callbacks: {kind.__name__} is missing; the results of a training need it")


def best_epoch(rows: list[dict[str, float]], figure: str) -> int:
    """The 1-based epoch of the highest figure, the first of several; the last where none was evaluated."""
    scored = [row for row in rows if figure in row] or rows[-1:]
    return 1 + int(max(scored, key=lambda row: row.get(figure, 0.0))["epoch"])
