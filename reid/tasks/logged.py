"""What loggers get of a run beside its epochs: its choices at the start, charts and pictures at the end."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from reid.callbacks import Poses, Retrieval
from reid.datamodules import PictureDataModule
from reid.evaluation import average_precision
from reid.evaluation.pck import GROUPS
from reid.loggers import WandbRun
from reid.plots import choose_queries, plot_ranked_lists
from reid.tasks.findings import ranked_lists
from reid.tasks.page import Page, Results
from reid.tasks.run_page import cmc_chart, command, confusion_matrices

log = logging.getLogger(__name__)


def go_on_in_run(config: DictConfig, checkpoint: Mapping[str, Any]) -> None:
    """Name the run of wandb that a checkpoint is of, unless the user names one, or another project."""
    known = checkpoint.get("wandb")
    if known and config.logger.get("project") == known["project"] and config.logger.id is None:
        config.logger.id = known["id"]


def log_choices(config: DictConfig, trainer: pl.Trainer) -> None:
    """The whole configuration, nested, as plain values."""
    choices: Any = OmegaConf.to_container(config, resolve=True)
    for logger in trainer.loggers:
        logger.log_hyperparams(choices)


def log_end(config: DictConfig, results: Results, trainer: pl.Trainer, page: Page) -> None:
    """The final figures, and for wandb charts and pictures; its run ends here."""
    known = {key: value for key, value in page.figures.items() if isinstance(value, int | float)}
    numbers = {f"final/{key}": value for key, value in {**known, **page.numbers}.items()}
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            send(config, results, page, numbers, logger, step=trainer.global_step)
            if logger.artifact == "best":
                keep_checkpoint(config, known, logger)
            logger.finish()
        else:
            logger.log_metrics(numbers, trainer.global_step)


def send(
    config: DictConfig,
    results: Results,
    page: Page,
    numbers: dict[str, float],
    run: WandbRun,
    *,
    step: int,
) -> None:
    """Charts and pictures of what was found; the ranked lists in a picture a group as well."""
    datamodule, found = results[0]
    plots = Path(config.paths.output) / "plots"
    drawn = [*page.pictures, *plots.glob("training.png"), *sorted(plots.glob("guides*.png"))]
    pictures = {picture.stem: picture for picture in drawn}
    with tempfile.TemporaryDirectory() as drafts:
        if isinstance(found, Retrieval):
            pictures |= draw_groups(datamodule, found, config.evaluation.distance, Path(drafts))
        run.log_end(
            numbers,
            cmc=cmc_chart(results) if isinstance(found, Retrieval) else None,
            pck=keypoint_groups(found) if isinstance(found, Poses) else None,
            matrices=confusion_matrices(datamodule, found) if isinstance(found, Retrieval) else [],
            pictures=pictures,
            step=step,
        )


def keep_checkpoint(config: DictConfig, figures: Mapping[str, float], run: WandbRun) -> None:
    """The best checkpoint of a training as an artifact, with its figures and what was chosen."""
    path = Path(config.paths.output) / "checkpoints" / "best.ckpt"
    if not path.is_file():
        log.warning("logger.artifact=best: this run has no checkpoints/best.ckpt to keep in wandb")
        return
    choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
    metadata = {
        "figures": dict(figures),
        "choices": {group: option for group, option in choices.items() if not group.startswith("hydra/")},
        "command": command(config),
        "image_size": list(config.data.image_size),
        "seed": config.seed,
    }
    run.log_checkpoint(path, f"{config.model.name}-{config.data.name}", metadata=metadata)


def draw_groups(
    datamodule: PictureDataModule, found: Retrieval, distance: str, folder: Path
) -> dict[str, Path]:
    """``ranked_lists_best``, ``_typical`` and ``_worst`` -> a sheet of each."""
    assert datamodule.benchmark is not None
    ranking = found.rankings[distance]
    pictures = {}
    for group, rows in choose_queries(average_precision(ranking).numpy()).items():
        if rows:
            lists = ranked_lists(datamodule.benchmark, ranking, {group: rows})
            name = f"ranked_lists_{group}"
            title = f"{datamodule.name}: {group} queries"
            pictures[name] = plot_ranked_lists(lists, folder / f"{name}.png", title=title)
    return pictures


def keypoint_groups(found: Poses) -> dict[str, float]:
    """PCK of all keypoints and of each group, in per cent."""
    keys = {"all": "pck", **{group.replace("_", " "): f"pck_{group}" for group in GROUPS}}
    return {name: 100 * found.metrics[key] for name, key in keys.items() if key in found.metrics}
