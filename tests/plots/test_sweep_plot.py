"""The picture of a sweep: experiments by their means, the best six in colour, a line a job above them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from reid.plots.style import AMBER, BLUE
from reid.plots.sweep import COLOURS, PLAIN, SweptJob, plot_sweep


def pixels_of(path: Path, colour: str) -> np.ndarray:
    """(H, W) bool: where the picture has exactly that colour."""
    return (cv2.imread(str(path))[..., ::-1] == np.rint(255 * np.array(to_rgb(colour)))).all(-1)


def epochs(*scores: float) -> list[dict[str, float]]:
    return [{"epoch": number, "val/mAP": score} for number, score in enumerate(scores)]


def test_the_mean_decides_not_the_best_job(tmp_path: Path) -> None:
    """`even` has the mean 0.5 and `lucky` 0.45, though its best job has 0.8: blue is the first row's."""
    jobs = [SweptJob("lucky", 0.8), SweptJob("even", 0.5), SweptJob("lucky", 0.1), SweptJob("even", 0.5)]
    path = plot_sweep(jobs, tmp_path / "p.png")
    (blue, _), (amber, _) = (np.nonzero(pixels_of(path, colour)) for colour in (BLUE, AMBER))
    assert blue.max() < amber.min(), "even's row is above lucky's"
    columns = np.nonzero(pixels_of(path, AMBER))[1]
    middle = np.nonzero(pixels_of(path, BLUE))[1].mean()
    assert columns.min() < middle < columns.max(), "two dots of lucky on both sides of even's"


def test_the_seventh_experiment_is_grey(tmp_path: Path) -> None:
    jobs = [SweptJob(f"lr={number}", 1 - number / 10) for number in range(7)]
    six, seven = (plot_sweep(jobs[:count], tmp_path / f"{count}.png") for count in (6, 7))
    assert not pixels_of(six, PLAIN).any()
    assert pixels_of(seven, PLAIN).sum() > 20
    assert all(pixels_of(seven, colour).any() for colour in COLOURS)


def test_epochs_are_drawn_above_and_nothing_where_there_are_none(tmp_path: Path) -> None:
    bare = plot_sweep([SweptJob("a", 0.5)], tmp_path / "bare.png")
    way = plot_sweep([SweptJob("a", 0.5, epochs(0.1, 0.5, float("nan")))], tmp_path / "way.png")
    assert cv2.imread(str(way)).shape[0] > cv2.imread(str(bare)).shape[0] + 400
    assert pixels_of(way, BLUE)[: cv2.imread(str(way)).shape[0] // 2].sum() > 200


def test_nothing_to_plot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 jobs"):
        plot_sweep([], tmp_path / "p.png")
