"""task=evaluate: the figures of a checkpoint, or of an exported file, on a benchmark."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from reid.callbacks import Retrieval, Scorer
from reid.checkpoint import read_checkpoint
from reid.contracts import Batch
from reid.datamodules import PictureDataModule
from reid.deploy import open_runtime
from reid.evaluation import cmc
from reid.loading.device import on_device
from reid.modules import TaughtModule
from reid.tasks.build import (
    build_datamodule,
    build_others,
    build_scorer,
    build_trainer,
    check_channels,
    trained_module,
)
from reid.tasks.logged import log_choices
from reid.tasks.page import Results
from reid.tasks.report import leave_results, write_json
from reid.tasks.sources import GUIDES, card_of, check_model, device_of, follow, runtime_module, was_given
from reid.tasks.thresholds import look_for_threshold, match_threshold


@dataclass(frozen=True)
class Subject:
    """What is evaluated."""

    module: TaughtModule
    vocabulary: Mapping[str, Sequence[str]]  # attribute -> names of its values, in the order of the scores
    extra: dict[str, Any] = field(default_factory=dict)  # of metrics.json
    prepare: Callable[[Batch], Batch] = on_device  # a loader's batch as the network takes it


def evaluate(config: DictConfig) -> float:
    """Evaluate ``checkpoint``, or ``model_file``, on the configured benchmark.

    The model, its image size, its guides and its distance are the checkpoint's or the file's own; ``model=``
    on the command line is compared with it, ``data.image_size=`` and ``evaluation.distance=`` overrule it.
    With both, the file is what is evaluated, and its figures are compared with the checkpoint's.

    Returns:
        mAP, or PCK of keypoints, a fraction.
    """
    if config.checkpoint is None and config.model_file is None:
        raise ValueError(
            "task=evaluate needs checkpoint=PATH, for example outputs/.../checkpoints/best.ckpt, or"
            " model_file=PATH of an exported file"
        )
    subject = of_checkpoint(config) if config.model_file is None else of_file(config)
    reference = of_checkpoint(config) if config.model_file and config.checkpoint else None
    benchmarks = [build_datamodule(config), *build_others(config)]
    for each in (subject, reference):
        if each is not None:
            check_channels(each.module, benchmarks[0])
    scorer = build_scorer(config)
    check_each(benchmarks[1:], scorer)
    trainer = build_trainer(config, [scorer])
    if trainer.is_global_zero:
        folder = Path(config.paths.output)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
    log_choices(config, trainer)
    beside = None
    if reference is not None:
        beside = figures_of(evaluate_subject(reference, benchmarks, trainer, scorer), config)
    look_for_threshold(scorer)
    results = evaluate_subject(subject, benchmarks, trainer, scorer)
    if trainer.is_global_zero:
        threshold = match_threshold(results[0][1], scorer, benchmark=benchmarks[0].name)
        known = {"match_threshold": threshold} if threshold else {}
        leave(config, results, trainer, extra=subject.extra | known, beside=beside)
    return scorer.score(results[0][1])


def of_checkpoint(config: DictConfig) -> Subject:
    """The checkpoint; what it knows of its input is set in the configuration, unless the user did."""
    checkpoint = read_checkpoint(Path(config.checkpoint))
    description = checkpoint["reid"]
    follow(config, description, description["model"].get("network", {}))
    check_model(description["model"], config, source=f"checkpoint={config.checkpoint}")
    return Subject(
        module=trained_module(checkpoint, config),
        vocabulary=description.get("attributes", {}),
        extra={"checkpoint": str(config.checkpoint)},
    )


def of_file(config: DictConfig) -> Subject:
    """The exported file; what it knows of its input is set in the configuration, unless the user did."""
    path = Path(config.model_file)
    card = card_of(config, path)
    description = card.description
    follow(config, description, {name: getattr(card, name) for name in GUIDES})
    check_model(description["model"], config, source=f"model_file={path}")
    if not was_given("trainer.precision"):
        config.trainer.precision = "32-true"  # of a checkpoint that it is compared with
    runtime = open_runtime(path, card=card, device=device_of(config), threads=config.device.threads)
    return Subject(
        module=runtime_module(runtime),
        vocabulary=card.attributes,
        extra={"model_file": str(path), "runtime": runtime.name},
        prepare=card.prepare,
    )


def evaluate_subject(
    subject: Subject, benchmarks: Sequence[PictureDataModule], trainer: pl.Trainer, scorer: Scorer
) -> Results:
    """What one subject finds in each benchmark."""
    for datamodule in benchmarks:
        datamodule.prepare = subject.prepare
    return evaluate_each(benchmarks, subject.module, trainer, scorer, vocabulary=subject.vocabulary)


def evaluate_each(
    benchmarks: Sequence[PictureDataModule],
    module: TaughtModule,
    trainer: pl.Trainer,
    scorer: Scorer,
    *,
    vocabulary: Mapping[str, Sequence[str]],
) -> Results:
    """What one network finds in each benchmark.

    Loggers hear of it from `log_end`: for them ``val/...`` are curves over epochs.

    Args:
        vocabulary: attribute -> names of its values, in the order of the network's scores.
    """
    results: list[tuple[PictureDataModule, Any]] = []
    for datamodule in benchmarks:
        datamodule.prepare_data()
        datamodule.speak(vocabulary)
        scorer.stage = datamodule.name if results else "val"
        loggers, trainer.loggers = trainer.loggers, []
        trainer.validate(module, datamodule, verbose=False)
        trainer.loggers = loggers
        assert scorer.result is not None
        results.append((datamodule, scorer.result))
    return results


def check_each(others: Sequence[PictureDataModule], scorer: Scorer) -> None:
    """Raise ``ValueError`` where a further benchmark lacks what the protocol asks for: before a training."""
    for datamodule in others:
        assert datamodule.benchmark is not None, "further benchmarks are read when they are built"
        scorer.check(datamodule.benchmark)


def figures_of(results: Results, config: DictConfig) -> dict[str, float]:
    """The figures of the first benchmark, of several distances by that which decides."""
    found: Any = results[0][1]
    metrics: dict[str, float] = found.metrics
    return metrics[config.evaluation.distance] if isinstance(found, Retrieval) else metrics  # type: ignore[return-value]


def leave(
    config: DictConfig,
    results: Results,
    trainer: pl.Trainer,
    *,
    extra: Mapping[str, Any],
    beside: Mapping[str, float] | None = None,
) -> None:
    """Write and show what was found, and evaluation.json as the seeds' scripts write it.

    Args:
        beside: figures of the checkpoint that a file was made from.
    """
    rows: dict[str, Mapping[str, Any]] = {}
    if beside is not None:
        ours = figures_of(results, config)
        apart = {key: ours[key] - value for key, value in beside.items() if key in ours}
        extra = {**extra, "checkpoint": str(config.checkpoint), "checkpoint_figures": dict(beside)}
        extra |= {"difference": apart}
        rows["the checkpoint"] = {
            key: value for key, value in beside.items() if not key.startswith("pck_legacy")
        }
    leave_results(config, results, trainer, extra=extra, rows=rows)
    if beside is not None:
        key = max(apart, key=lambda each: abs(apart[each]))
        main = "mAP" if "mAP" in apart else "pck"
        sys.stdout.write(
            f"file less checkpoint: {main} {apart[main]:+.2g}, largest difference {apart[key]:+.2g} ({key})\n"
        )
    if isinstance(results[0][1], Retrieval):
        write_statistics(results[0][1], config.evaluation.distance, Path(config.paths.output))


def write_statistics(found: Retrieval, distance: str, folder: Path) -> None:
    """evaluation.json: rank-1 and mAP in the form of ModelZoo's post-processing scripts, as strings."""
    values = {"R1": cmc(found.rankings[distance], 1)[0].item(), "mAP": found.metrics[distance]["mAP"]}
    write_json(
        {
            "title": "Overall statistical evaluation",
            "value": [{"key": key, "value": str(value)} for key, value in values.items()],
        },
        folder / "evaluation.json",
    )
