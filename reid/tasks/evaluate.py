"""task=evaluate: a checkpoint's figures on a benchmark."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from reid.callbacks import Scorer
from reid.checkpoint import difference, read_checkpoint
from reid.datamodules import PictureDataModule
from reid.modules import TaughtModule
from reid.tasks.build import (
    READING,
    build_datamodule,
    build_others,
    build_scorer,
    build_trainer,
    check_channels,
    model_section,
    trained_module,
)
from reid.tasks.report import Results, leave_results


def evaluate(config: DictConfig) -> float:
    """Evaluate ``checkpoint`` on the configured benchmark.

    The model, its image size, its guides and its distance are the checkpoint's own; ``model=`` on the command
    line is compared with it, ``data.image_size=`` and ``evaluation.distance=`` overrule it.

    Returns:
        mAP, or PCK of keypoints, a fraction.
    """
    if config.checkpoint is None:
        raise ValueError("task=evaluate needs checkpoint=PATH, for example outputs/.../checkpoints/best.ckpt")
    folder = Path(config.paths.output)
    checkpoint = read_checkpoint(Path(config.checkpoint))
    network = checkpoint["reid"]["model"].get("network", {})
    for switch in ("heatmap", "segment", "keypoints"):
        if not was_given(f"data.{switch}"):
            OmegaConf.update(config, f"data.{switch}", network.get(switch, False))
    check_model(checkpoint, config)
    module = trained_module(checkpoint, config)
    for key, name in (("data.image_size", "image_size"), ("evaluation.distance", "distance")):
        if not was_given(key):
            OmegaConf.update(config, key, checkpoint["reid"][name])
    benchmarks = [build_datamodule(config), *build_others(config)]
    check_channels(module, benchmarks[0])
    scorer = build_scorer(config)
    check_each(benchmarks[1:], scorer)
    trainer = build_trainer(config, [scorer])
    if trainer.is_global_zero:
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
    vocabulary = checkpoint["reid"].get("attributes", {})
    results = evaluate_each(benchmarks, module, trainer, scorer, vocabulary=vocabulary)
    if trainer.is_global_zero:
        leave_results(config, results, trainer, extra={"checkpoint": str(config.checkpoint)})
    return scorer.score(results[0][1])


def evaluate_each(
    benchmarks: Sequence[PictureDataModule],
    module: TaughtModule,
    trainer: pl.Trainer,
    scorer: Scorer,
    *,
    vocabulary: Mapping[str, Sequence[str]],
) -> Results:
    """What one network finds in each benchmark; figures of the first are logged as ``val/...``.

    Args:
        vocabulary: attribute -> names of its values, in the order of the network's scores.
    """
    results: list[tuple[PictureDataModule, Any]] = []
    for datamodule in benchmarks:
        datamodule.prepare_data()
        datamodule.speak(vocabulary)
        scorer.stage = datamodule.name if results else "val"
        trainer.validate(module, datamodule, verbose=False)
        assert scorer.result is not None
        results.append((datamodule, scorer.result))
    return results


def check_each(others: Sequence[PictureDataModule], scorer: Scorer) -> None:
    """Raise ``ValueError`` where a further benchmark lacks what the protocol asks for: before a training."""
    for datamodule in others:
        assert datamodule.benchmark is not None, "further benchmarks are read when they are built"
        scorer.check(datamodule.benchmark)


def was_given(key: str) -> bool:
    """Whether the command line sets ``key``."""
    return any(
        override.lstrip("+~").partition("=")[0] == key for override in HydraConfig.get().overrides.task
    )


def check_model(checkpoint: dict[str, Any], config: DictConfig) -> None:
    """Refuse a model named on the command line that is not the checkpoint's.

    Raises:
        ValueError: with what differs.
    """
    saved = checkpoint["reid"]["model"]
    if not was_given("model"):
        return
    # what there is to classify is the training set's affair
    own = ("model.network.num_identities", "model.network.attributes", *(f"model.{key}" for key in READING))
    lines = [line for line in difference(saved, model_section(config)) if not line.startswith(own)]
    if lines:
        raise ValueError(
            f"checkpoint={config.checkpoint} is of another model: {saved.get('name')}, not"
            f" {config.model.name} ({'; '.join(lines[:4])}); leave model= out, the checkpoint knows its own"
        )
