"""A run's report.html: what it found, as plain data for the page."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

import reid
from reid.callbacks import EpochTable, Retrieval
from reid.datamodules import PictureDataModule
from reid.evaluation import cmc
from reid.modules import TaughtModule
from reid.pages import Chart, Line, Matrix, RunReport, training_charts, write_run_report
from reid.tasks.findings import choose_for_page, ranked_lists, value_names
from reid.tasks.page import Page, Results

RANKS = 20
TILES = {"mAP": "mAP", "rank1": "rank-1", "mINP": "mINP", "pck": "PCK", "pck_at_0.1": "PCK@0.1"}
DRAWN = {  # pictures that the page takes as they are: stem -> heading
    "roc": "ROC curve",
    "poses": "Poses: worst and best pictures",
    "guides": "Guides of training images",
}


def leave_page(
    config: DictConfig, results: Results, trainer: pl.Trainer, page: Page, *, table: Sequence[Sequence[str]]
) -> Path:
    """Write report.html into the run's folder."""
    folder = Path(config.paths.output)
    datamodule, result = results[0]
    epochs = next((each.rows for each in trainer.callbacks if isinstance(each, EpochTable)), [])  # type: ignore[attr-defined]
    charts, matrices, lists, selection = training_charts(epochs), [], [], ""
    if isinstance(result, Retrieval):
        charts.append(cmc_chart(results))
        matrices = confusion_matrices(datamodule, result)
        assert datamodule.benchmark is not None
        ranking = result.rankings[config.evaluation.distance]
        chosen = choose_for_page(ranking)
        lists = ranked_lists(datamodule.benchmark, ranking, chosen)
        scored = int(page.figures["queries"] - page.figures["queries_skipped"])
        selection = (
            f"{len(lists):,} of {datamodule.name}'s {scored:,} queries with a match: "
            f"{', '.join(f'{len(rows)} {group}' for group, rows in chosen.items() if rows)}. "
            "Best and worst are by AP, typical are nearest to its median, random are of the others. Below a "
            "query: whether its first hit is right, and its AP in per cent. Images that the protocol ignores "
            "are left out."
        )
    made = time.strftime("%Y-%m-%d %H:%M")
    evaluated = page.figures.get("model_file") or page.figures.get("checkpoint")
    source = f" ({Path(evaluated).name})" if evaluated else ""
    return write_run_report(
        RunReport(
            title=f"{model_name(config, trainer)}{source} on {datamodule.name}",
            notes=[
                f"task={config.task.name}, {made}; reid {reid.__version__}, torch {torch.__version__}, "
                f"{trainer.world_size} x {trainer.strategy.root_device.type}",
                "; ".join(page.counts),
            ],
            tiles=tiles(page),
            table=table,
            charts=charts,
            lists=lists,
            selection=selection,
            matrices=matrices,
            pictures={
                heading: folder / "plots" / f"{stem}.png"
                for stem, heading in DRAWN.items()
                if (folder / "plots" / f"{stem}.png").is_file()
            },
            command=command(config),
            config=OmegaConf.to_yaml(config, resolve=True),
        ),
        folder / "report.html",
    )


def model_name(config: DictConfig, trainer: pl.Trainer) -> str:
    """Whose results these are: a checkpoint or a file brings its own model, whatever is configured."""
    module = trainer.lightning_module
    known = module.description.get("model", {}) if isinstance(module, TaughtModule) else {}
    return str(known.get("name", config.model.name))


def tiles(page: Page) -> dict[str, str]:
    """The main figures."""
    figures = page.figures
    found = {name: f"{100 * figures[key]:.1f} %" for key, name in TILES.items() if key in figures}
    if "epoch" in figures:
        found["best epoch"] = str(figures["epoch"])
        found["images/s in training"] = f"{figures['train_images_per_second']:,.0f}"
    return {**found, "evaluated in": f"{figures['evaluation_seconds']:.1f} s"}


def cmc_chart(results: Results) -> Chart:
    """A line a distance, of further benchmarks as well."""
    lines = []
    for datamodule, result in results:
        for distance, ranking in result.rankings.items():
            shares = cmc(ranking, min(RANKS, ranking.gallery_size)).tolist()
            name = f"{datamodule.name}, {distance}" if len(results) > 1 else distance
            lines.append(Line(name, range(1, len(shares) + 1), [100 * share for share in shares]))
    return Chart("CMC", lines, axis="rank", unit="%", marked=1, from_zero=False)


def confusion_matrices(datamodule: PictureDataModule, result: Retrieval) -> list[Matrix]:
    """One for each attribute that the network scores and the benchmark knows."""
    assert datamodule.benchmark is not None
    return [
        Matrix(name, value_names(datamodule.benchmark, name, count=len(counts)), counts.tolist())
        for name, counts in result.attributes.items()
    ]


def command(config: DictConfig) -> str:
    """The sentence that started the run; a caller from Python has none."""
    if not HydraConfig.initialized():
        return f"reid.tasks, {config.task.name}: called from Python with the configuration below"
    return shlex.join(["python", "run.py", *HydraConfig.get().overrides.task])
