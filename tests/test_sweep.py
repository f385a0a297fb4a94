"""The table of a sweep, from folders as its jobs leave them, and whether a sweep may go on."""

import csv
import json
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from reid.job import check_same
from reid.launch import prepare
from reid.status import Status
from reid.sweep import SweepTable


def job(folder: Path, number: int, *overrides: str, error: str | None = None, **figures: float) -> None:
    place = folder / f"{number}_osnet-cuhk03"
    status = Status.begin(list(overrides))
    if error is None:
        status.ended("finished", objective=figures["mAP"]).write(place)
        (place / "metrics.json").write_text(json.dumps({**figures, "distance": "euclidean"}))
    else:
        status.ended("failed", error=error).write(place)


def end(folder: Path) -> None:
    SweepTable().on_multirun_end(OmegaConf.create({"hydra": {"sweep": {"dir": str(folder)}}}))


def read(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_splits_are_averaged_and_the_best_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in (10, 9, 2):
        job(tmp_path, split, "data=cuhk03", f"data.split={split}", mAP=split / 20, rank1=0.5)
    end(tmp_path)
    rows = read(tmp_path)
    assert [(row["data.split"], row["mAP"]) for row in rows] == [("10", "0.5"), ("9", "0.45"), ("2", "0.1")]
    assert "data" not in rows[0], "all jobs had it"
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["mAP"] == pytest.approx(0.35)
    assert figures["deviation"]["mAP"] == pytest.approx((0.25**2 + 0.1**2 + 0.15**2) ** 0.5 / 2**0.5)
    assert (figures["jobs"], figures["rank1"], figures["deviation"]["rank1"]) == (3, 0.5, 0)
    assert "mean of 3" in capsys.readouterr().out


def test_different_experiments_have_no_average(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job(tmp_path, 0, "optimizer.lr=1e-3", "seed=1", mAP=0.1, type_accuracy=0.875)
    job(tmp_path, 1, "optimizer.lr=1e-4", "seed=1", mAP=0.3, type_accuracy=0.5)
    end(tmp_path)
    assert not (tmp_path / "metrics.json").exists()
    shown = capsys.readouterr().out
    assert "mean" not in shown
    head, first, second, *_ = shown.strip().splitlines()
    assert head.split() == ["job", "optimizer.lr", "status", "mAP", "type", "acc", "minutes"]
    assert first.split() == ["1", "1e-4", "finished", "30.0", "50.0", "0.0"]
    assert second.split()[-2] == "87.5"


def test_jobs_are_drawn_by_experiment_with_their_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, (rate, seed) in enumerate((("1e-3", 1), ("1e-3", 2), ("1e-2", 1))):
        job(tmp_path, number, f"optimizer.lr={rate}", f"seed={seed}", mAP=number / 10)
    job(tmp_path, 3, "optimizer.lr=1e9", "seed=1", error="the loss is not a number")
    (tmp_path / "2_osnet-cuhk03" / "metrics.csv").write_text("epoch,val/mAP\n0,0.1\n1,\n2,0.2\n")
    drawn = []
    monkeypatch.setattr("reid.plots.sweep.plot_sweep", lambda jobs, path: drawn.extend(jobs))
    with pytest.raises(SystemExit):
        end(tmp_path)
    assert [(each.name, each.objective) for each in drawn] == [
        ("lr=1e-2", 0.2),
        ("lr=1e-3", 0.1),
        ("lr=1e-3", 0),
    ]
    assert drawn[0].epochs == [{"epoch": 0, "val/mAP": 0.1}, {"epoch": 1}, {"epoch": 2, "val/mAP": 0.2}]
    assert drawn[1].epochs == [], "an evaluation has none"


def test_a_sweep_leaves_a_picture_and_shows_curves(tmp_path: Path) -> None:
    for seed in (1, 2):
        job(tmp_path, seed, f"seed={seed}", mAP=seed / 10)
    end(tmp_path)
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "report.html").read_text()
    assert "<svg" not in page, "evaluations have no curves"
    for seed in (1, 2):
        table = f"epoch,val/mAP,train/loss\n0,{seed / 20},2\n1,{seed / 10},1\n"
        (tmp_path / f"{seed}_osnet-cuhk03" / "metrics.csv").write_text(table)
    end(tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") == 2
    assert "2: seed=2" in page


def test_a_lone_job_needs_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job(tmp_path, 0, "seed=1", mAP=0.1)
    end(tmp_path)
    assert not capsys.readouterr().out


def test_a_failed_job_comes_last_and_decides_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job(tmp_path, 0, "optimizer.lr=1e9", error="the loss is not a number")
    job(tmp_path, 1, "optimizer.lr=1e-3", mAP=0.2)
    with pytest.raises(SystemExit) as leaving:
        end(tmp_path)
    assert leaving.value.code == 1
    assert [(row["job"], row["status"], row["error"]) for row in read(tmp_path)] == [
        ("1", "finished", ""),
        ("0", "failed", "the loss is not a number"),
    ]
    assert f"sweep.resume={tmp_path}" in capsys.readouterr().err


def test_figures_of_an_earlier_start_do_not_count(tmp_path: Path) -> None:
    job(tmp_path, 0, "seed=1", mAP=0.9)
    job(tmp_path, 1, "seed=2", mAP=0.1)
    Status.begin(["seed=1"]).ended("failed", error="full disk").write(tmp_path / "0_osnet-cuhk03")
    with pytest.raises(SystemExit):
        end(tmp_path)
    assert [row["mAP"] for row in read(tmp_path)] == ["0.1", ""]


def test_time_adds_up_over_starts(tmp_path: Path) -> None:
    first = Status("running", ["seed=1"], started=0.0, seconds=5.0).ended("interrupted")
    first.write(tmp_path)
    again = Status.begin(["seed=1"], before=Status.read(tmp_path))
    assert again.seconds == first.seconds > 5


def test_another_command_does_not_go_on(caplog: pytest.LogCaptureFixture) -> None:
    before = Status.begin(["data=duke", "optimizer.lr=0.001"])
    check_same(before, ["data=duke", "optimizer.lr=0.001"], number=3)
    check_same(None, ["data=duke"], number=3)
    with pytest.raises(SystemExit):
        check_same(before, ["data=duke", "optimizer.lr=0.01"], number=3)
    assert "job 3 was begun with optimizer.lr=0.001 and is now to be with optimizer.lr=0.01" in caplog.text


def test_a_sweep_that_never_was_does_not_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "-m", f"sweep.resume={tmp_path}"])
    with pytest.raises(SystemExit, match="is no folder of a sweep"):
        prepare()
