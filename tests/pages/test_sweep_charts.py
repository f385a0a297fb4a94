"""Curves of a sweep's jobs over each other, and their scores over the numbers that were varied."""

import numpy as np
import pytest

from reid.pages import Chart, ShownJob, sweep_charts
from reid.pages.charts import LEFT, RIGHT, WIDTH


def job(number: int, objective: float, *scores: float, **choices: str) -> ShownJob:
    epochs = [{"epoch": k, "val/mAP": score, "train/loss": 1 / score} for k, score in enumerate(scores)]
    return ShownJob(str(number), choices, objective, epochs)


def test_each_job_is_a_line_over_the_epochs_and_five_have_a_colour() -> None:
    jobs = [job(k, 0.9 - k / 10, 0.1, 0.9 - k / 10, model=f"m{k}") for k in range(7)]
    score, loss = sweep_charts(jobs)
    assert (score.title, score.unit, loss.title, loss.unit) == ("mAP", "%", "Training loss", "")
    assert [line.key for line in score.lines] == [line.key for line in loss.lines] == list("0123456")
    assert [line.plain for line in score.lines] == [False] * 5 + [True] * 2
    assert score.lines[1].name == "1: model=m1"
    assert np.array(score.lines[1].points) == pytest.approx(np.array([(1, 10), (2, 80)]))
    assert np.array(loss.lines[1].points) == pytest.approx(np.array([(1, 10), (2, 1.25)]))
    drawing = score.draw()
    assert [curve.colour for curve in drawing.curves] == [*"01234", "plain", "plain"]
    assert (drawing.plain, len(drawing.curves[4].dots), drawing.curves[5].dots) == (2, 2, [])


def over(*jobs: ShownJob, repeats: tuple[str, ...] = ()) -> dict[str, Chart]:
    return {chart.title: chart for chart in sweep_charts(jobs, repeats=repeats)}


def test_means_of_repeats_are_joined_by_what_else_was_varied() -> None:
    grid = [
        ("1e-3", "8", "1", 0.5),
        ("0.001", "8", "2", 0.7),
        ("1e-1", "8", "1", 0.2),
        ("1e-2", "16", "1", 0.4),
    ]
    charts = over(
        *(job(k, score, lr=lr, epochs=e, seed=seed) for k, (lr, e, seed, score) in enumerate(grid)),
        repeats=("seed",),
    )
    assert list(charts) == ["Objective over lr", "Objective over epochs"], "there are no epochs, and no seed"
    chart = charts["Objective over lr"]
    eight, sixteen = chart.lines
    assert (eight.name, sixteen.name) == ("epochs=8", "epochs=16")
    assert np.array(eight.points) == pytest.approx(np.array([(0.001, 60), (0.1, 20)]))
    assert sorted(eight.dots or ()) == [(0.001, 50, "0"), (0.001, 70, "1"), (0.1, 20, "2")]
    assert chart.log_x
    assert not charts["Objective over epochs"].log_x
    drawing = chart.draw()
    assert [text for _, text in drawing.x_ticks] == ["0.001", "0.01", "0.1"]
    assert [x for x, _ in drawing.x_ticks] == [LEFT, (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT]
    assert drawing.curves[0].dots[0][2:] == ("lr 0.001: 50 %", "0")


def test_a_search_is_dots_alone() -> None:
    chart = over(*(job(k, k / 40, lr=f"{10 ** (-4 + k / 10)}", decay=f"{k}") for k in range(30)))[
        "Objective over lr"
    ]
    (line,) = chart.lines
    assert (line.name, line.joined, len(line.dots or ())) == ("", False, 30)
    drawing = chart.draw()
    assert drawing.curves[0].path == ""
    assert [text for _, text in drawing.x_ticks] == ["0.0001", "0.001", "0.01"]


@pytest.mark.parametrize(
    ("choices", "drawn"),
    [
        ({"lr": ("1", "2"), "decay": ("1", "2"), "epochs": ("1", "2")}, 0),  # three numbers
        ({"lr": ("1", "2"), "model": ("osnet", "osnet_ain")}, 1),
        ({"lr": ("1", "1.0"), "flag": ("true", "false")}, 0),  # one value; no number
        ({"lr": ("1", ""), "rate": ("inf", "1")}, 0),  # a job's own default; not finite
    ],
)
def test_which_numbers_have_a_chart(choices: dict[str, tuple[str, str]], drawn: int) -> None:
    jobs = [job(k, 0.5, **{key: values[k] for key, values in choices.items()}) for k in range(2)]
    assert len(sweep_charts(jobs)) == drawn


def test_a_sweep_without_a_finished_job_has_none() -> None:
    assert sweep_charts([]) == []
