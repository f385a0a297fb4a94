"""What a run leaves: metrics.json, the pictures, and a table on the terminal."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf

from reid.callbacks import Poses, Retrieval
from reid.datamodules import PictureDataModule
from reid.evaluation import average_precision, cmc
from reid.plots import (
    choose_queries,
    plot_cmc,
    plot_confusion,
    plot_ranked_lists,
    plot_roc,
)
from reid.tasks.findings import ranked_lists, value_names
from reid.tasks.logged import log_end
from reid.tasks.page import Page, Results
from reid.tasks.poses import pose_page
from reid.tasks.run_page import leave_page
from reid.whole import write_whole

FURTHER = {  # what figures of other rankings and protocols begin with, and what the table calls them
    "rerank_": "re-ranked",
    "expanded_": "queries expanded",
    "single_shot_": "single-shot galleries",
}
TPR = "tpr_at_fpr_"
FIGURES = ("mAP", "mINP", "rank", "pck")  # what the table shows, in per cent, beside attributes' accuracies
ACCURACY = "_accuracy"


def leave_results(
    config: DictConfig,
    results: Results,
    trainer: pl.Trainer,
    *,
    extra: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write metrics.json and plots/, show the table, and hand both to the loggers.

    Args:
        extra: of metrics.json, beside the figures.
        rows: of the table, below those of the results: name -> figure -> fraction.

    Returns:
        The content of metrics.json.
    """
    folder = Path(config.paths.output)
    make = pose_page if isinstance(results[0][1], Poses) else retrieval_page
    page = make(config, results, extra=extra)
    write_json(page.figures, folder / "metrics.json")
    shown = {**page.rows, **(rows or {})}
    if config.published is not None:
        published = OmegaConf.to_container(config.published)
        assert isinstance(published, dict)
        known = {str(key): value for key, value in published.items() if value is not None}
        shown[f"published ({known.pop('source')})"] = known
    sys.stdout.write(f"{table(shown)}\n{footnote(page, folder)}\n")
    if config.report:
        leave_page(config, results, trainer, page, table=cells(shown))
    log_end(config, results, trainer, page)
    return page.figures


def retrieval_page(config: DictConfig, results: Results, *, extra: Mapping[str, Any]) -> Page:
    """Figures of ``evaluation.distance``; those of other distances and benchmarks under their names."""
    folder = Path(config.paths.output)
    primary = config.evaluation.distance
    (datamodule, result), *others = results
    by_track = config.evaluation.protocol == "image_to_track"
    figures = {
        **result.metrics[primary],
        **({"protocol": config.evaluation.protocol} if by_track else {}),
        **extra,
        "evaluation_seconds": result.seconds,
        "distance": primary,
        **{name: metrics for name, metrics in result.metrics.items() if name != primary},
    }
    if others:
        figures["evaluate_on"] = {
            other.name: {
                **found.metrics[primary],
                **{name: metrics for name, metrics in found.metrics.items() if name != primary},
            }
            for other, found in others
        }
    pictures = draw(result, primary, datamodule, folder / "plots")
    for other, found in others:
        draw(found, primary, other, folder / "plots" / other.name)
    rows: dict[str, Mapping[str, Any]] = {}
    for each, found in results:
        rows |= table_rows(found, primary, name=each.name)
    numbers = {
        f"{distance}/{key}": value
        for distance, metrics in result.metrics.items()
        if distance != primary
        for key, value in metrics.items()
    }
    for other, found in others:
        numbers |= {f"{other.name}/{key}": value for key, value in found.metrics[primary].items()}
    counts = [
        f"{figures['queries']:,} queries ({figures['queries_skipped']:,} without a match)",
        f"{figures['gallery']:,} gallery {'tracks' if by_track else 'images'}",
    ]
    return Page(figures, pictures, rows, counts, numbers)


def table_rows(result: Retrieval, primary: str, *, name: str) -> dict[str, dict[str, float]]:
    """A row a distance, and one for each further ranking or protocol that was asked for."""
    rows = {f"{name}, {distance}": metrics for distance, metrics in result.metrics.items()}
    for prefix, words in FURTHER.items():
        figures = {
            key.removeprefix(prefix): value
            for key, value in result.metrics[primary].items()
            if key.startswith(prefix)
        }
        if figures:
            rows[f"{name}, {primary}, {words}"] = figures
    return rows


def draw(result: Retrieval, primary: str, datamodule: PictureDataModule, folder: Path) -> list[Path]:
    """The CMC curve, a ROC curve if asked for, the sheet of ranked lists, and a matrix an attribute."""
    ranking = result.rankings[primary]
    curves = {name: cmc(each, min(20, each.gallery_size)).tolist() for name, each in result.rankings.items()}
    pictures = [
        plot_cmc(
            curves,
            folder / "cmc.png",
            mean_average_precision={name: result.metrics[name]["mAP"] for name in curves},
        )
    ]
    if result.verification is not None:
        false, true = (rates.tolist() for rates in result.verification.curve())
        if false[-1] > 0:  # else the smallest number of errors, one, was more than allowed
            asked = [float(key.removeprefix(TPR)) for key in result.metrics[primary] if key.startswith(TPR)]
            pictures.append(plot_roc({primary: (false, true)}, folder / "roc.png", fpr=min(asked)))
    assert datamodule.benchmark is not None
    chosen = choose_queries(average_precision(ranking).numpy())
    lists = ranked_lists(datamodule.benchmark, ranking, chosen)
    title = f"{datamodule.name}: mAP {100 * result.metrics[primary]['mAP']:.1f} %"
    pictures.append(plot_ranked_lists(lists, folder / "ranked_lists.png", title=title))
    for name, matrix in result.attributes.items():
        names = value_names(datamodule.benchmark, name, count=len(matrix))
        path, title = folder / f"confusion_{name}.png", f"{datamodule.name}, {name}"
        pictures.append(plot_confusion(matrix.numpy(), names, path, title=title))
    return pictures


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Figures in per cent, a line a row; what a row does not know stays empty.

    >>> print(table({"market1501, cosine": {"mAP": 0.826, "rank1": 0.942}, "published": {"mAP": 0.826}}))
                            mAP   rank-1
    market1501, cosine     82.6     94.2
    published              82.6
    >>> print(table({"veri, euclidean": {"mAP": 0.69, "queries": 1678, "color_accuracy": 0.932}}))
                         mAP  color acc
    veri, euclidean     69.0       93.2
    """
    head, *lines = cells(rows)
    widths = [max(map(len, rows)), *(max(9, len(each) + 2) for each in head[1:])]
    return "\n".join(
        (f"{name:{widths[0]}}" + "".join(map(str.rjust, line, widths[1:]))).rstrip()
        for name, *line in (head, *lines)
    )


def cells(rows: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """The table's texts: headings, then a row's name and figures; empty where a row does not know one."""
    columns = {key: heading(key) for row in rows.values() for key in row if is_shown(key)}
    return [
        ["", *columns.values()],
        *(
            [name, *(f"{100 * row[key]:.1f}" if key in row else "" for key in columns)]
            for name, row in rows.items()
        ),
    ]


def is_shown(key: str) -> bool:
    """Whether a figure has a column."""
    return key.startswith(FIGURES) or key.endswith(ACCURACY)


def heading(key: str) -> str:
    """What its column is called: rank-1 for rank1, color acc for color_accuracy, PCK@0.1 for pck_at_0.1."""
    if key.startswith("pck"):
        return key.replace("pck_at_", "PCK@").replace("pck_", "").replace("pck", "PCK").replace("_", " ")
    return f"{key.removesuffix(ACCURACY)} acc" if key.endswith(ACCURACY) else key.replace("rank", "rank-")


def footnote(page: Page, folder: Path) -> str:
    """Counts, speeds and where everything lies."""
    figures = page.figures
    parts = [*page.counts, f"evaluated in {figures['evaluation_seconds']:.1f} s"]
    if rates := [key for key in figures if key.startswith(TPR)]:
        shares = [f"{100 * figures[key]:.1f} % at FPR {key.removeprefix(TPR)}" for key in rates]
        parts.append(f"TPR {', '.join(shares)}")
    if "epoch" in figures:
        parts.append(
            f"best epoch {figures['epoch']}, trained at {figures['train_images_per_second']:.0f} images/s"
        )
    return f"{'; '.join(parts)}\nresults in {folder}"


def write_json(values: Mapping[str, Any], path: Path) -> None:
    """Write all of it or nothing."""
    write_whole(path, (json.dumps(values, indent=2) + "\n").encode())
