"""The table of a sweep, from folders as its jobs leave them."""

import csv
import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from reid.sweep import SweepTable


def job(folder: Path, number: int, *overrides: str, **figures: float) -> None:
    place = folder / f"{number}_osnet-cuhk03" / ".hydra"
    place.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create(list(overrides)), place / "overrides.yaml")
    (place.parent / "metrics.json").write_text(json.dumps({**figures, "distance": "euclidean"}))


def end(folder: Path) -> None:
    SweepTable().on_multirun_end(OmegaConf.create({"hydra": {"sweep": {"dir": str(folder)}}}))


def test_splits_are_averaged_in_the_order_of_jobs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in (10, 9, 2):
        job(tmp_path, split, "data=cuhk03", f"data.split={split}", mAP=split / 20, rank1=0.5)
    end(tmp_path)
    with (tmp_path / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["data.split"], row["mAP"]) for row in rows] == [("2", "0.1"), ("9", "0.45"), ("10", "0.5")]
    assert "data" not in rows[0], "all jobs had it"
    figures = json.loads((tmp_path / "metrics.json").read_text())
    assert figures["mAP"] == pytest.approx(0.35)
    assert figures["deviation"]["mAP"] == pytest.approx((0.25**2 + 0.1**2 + 0.15**2) ** 0.5 / 2**0.5)
    assert (figures["jobs"], figures["rank1"], figures["deviation"]["rank1"]) == (3, 0.5, 0)
    shown = capsys.readouterr().out
    assert "mean of 3" in shown
    assert "data.split=10" in shown


def test_different_experiments_have_no_average(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job(tmp_path, 0, "optimizer.lr=1e-3", "seed=1", mAP=0.1)
    job(tmp_path, 1, "optimizer.lr=1e-4", "seed=1", mAP=0.3)
    end(tmp_path)
    assert (tmp_path / "results.csv").is_file()
    assert not (tmp_path / "metrics.json").exists()
    assert "mean" not in capsys.readouterr().out


def test_a_lone_job_needs_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job(tmp_path, 0, "seed=1", mAP=0.1)
    end(tmp_path)
    assert not capsys.readouterr().out
