"""What a run with keypoints leaves: its part of the report."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from reid.callbacks.keypoints import Poses, true_keypoints
from reid.datamodules import PictureDataModule
from reid.datasets.records import Record
from reid.plots import PosedImage, plot_poses
from reid.tasks.page import Page

WORST, BEST = 4, 2  # test pictures
LEGACY = "pck_legacy"


def pose_page(
    config: DictConfig, results: Sequence[tuple[PictureDataModule, Poses]], *, extra: Mapping[str, Any]
) -> Page:
    """The page of a benchmark and further ones, whose worst and best pictures are drawn."""
    folder = Path(config.paths.output) / "plots"
    (datamodule, result), *others = results
    figures: dict[str, Any] = {
        **result.metrics,
        "pictures": len(result.keypoints),
        **extra,
        "evaluation_seconds": result.seconds,
    }
    if others:
        figures["evaluate_on"] = {other.name: dict(found.metrics) for other, found in others}
    pictures = [draw_poses(datamodule, result, folder)]
    for other, found in others:
        draw_poses(other, found, folder / other.name)
    rows: dict[str, Mapping[str, Any]] = {}
    numbers: dict[str, float] = {}
    for each, found in results:
        rows |= table_rows(found.metrics, name=each.name)
    for other, found in others:
        numbers |= {f"{other.name}/{key}": value for key, value in found.metrics.items()}
    return Page(figures, pictures, rows, [f"{len(result.keypoints):,} pictures"], numbers)


def table_rows(metrics: Mapping[str, float], *, name: str) -> dict[str, dict[str, float]]:
    """The right figures, and those that are counted as the published ones, under the same headings."""
    right = {key: value for key, value in metrics.items() if not key.startswith(LEGACY)}
    legacy = {key.replace(LEGACY, "pck"): value for key, value in metrics.items() if key.startswith(LEGACY)}
    return {name: right, f"{name}, {LEGACY}": legacy}


def draw_poses(datamodule: PictureDataModule, result: Poses, folder: Path) -> Path:
    """The pictures with the largest and smallest errors: what is marked, and what was found."""
    records = datamodule.evaluation_records
    order = np.argsort(np.nan_to_num(result.errors, nan=-1.0), kind="stable")[::-1]  # the worst first
    order = order[np.isfinite(result.errors[order])]
    best = order[WORST:][::-1][:BEST]
    true = true_keypoints(records)
    samples = [
        PosedImage(
            path=records[row].path,
            true=true[row],
            found=result.keypoints[row],
            title=f"{group}\n{named(records[row])}\nmean error {result.errors[row]:.2f}",
        )
        for group, rows in (("worst", order[:WORST]), ("best", best))
        for row in rows.tolist()
    ]
    title = f"{datamodule.name}: PCK {100 * result.metrics['pck']:.1f} %"
    return plot_poses(samples, folder / "poses.png", title=title)


def named(record: Record) -> str:
    """A picture's name, in lines that fit beside a row."""
    return "\n".join(textwrap.wrap(record.path.stem, 13))
