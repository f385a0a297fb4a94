"""run.py with URLs: data come through the cache, outputs arrive, those of failed runs too."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reid.datasets.features import read_features

SHORT = ["trainer.max_epochs=1", "device.threads=1", "report=false"]


def test_a_training_from_url_to_url(trained: Any, program: Any, data: Path, tmp_path: Path) -> None:
    words = [
        f"paths.data=file://{data}",
        f"storage.cache={tmp_path}/cache",
        f"storage.output=file://{tmp_path}/out",
    ]
    outcome = program(*words, "storage.copy_every=0.2", *SHORT)
    assert outcome.status == 0, outcome.err
    fetched = next((tmp_path / "cache/file").rglob("bounding_box_train"))
    original = next(data.rglob("bounding_box_train"))
    assert {path.name for path in fetched.iterdir()} == {path.name for path in original.iterdir()}
    for name in ("metrics.json", "checkpoints/best.ckpt", "status.json", ".hydra/config.yaml"):
        assert (tmp_path / "out" / name).read_bytes() == (outcome.folder / name).read_bytes()
    assert json.loads((tmp_path / "out/status.json").read_text())["state"] == "finished"
    assert str(fetched.parents[1]).startswith(str(tmp_path / "cache"))
    assert f"{tmp_path}/cache/file" in (outcome.folder / "config.yaml").read_text()


def test_a_failed_run_is_copied_too(program: Any, tmp_path: Path) -> None:
    out = f"storage.output=file://{tmp_path}/out"
    outcome = program.inside("task=evaluate", f"checkpoint=file://{tmp_path}/none.ckpt", out)
    assert outcome.status == 1
    assert "none.ckpt" in outcome.err.strip().splitlines()[-1]
    outcome = program.inside("task=evaluate", "checkpoint=none.ckpt", out)
    assert outcome.status == 1
    assert json.loads((tmp_path / "out/status.json").read_text())["state"] == "failed"


def test_an_output_that_cannot_be_is_said_before_the_task(program: Any, tmp_path: Path) -> None:
    outcome = program.inside("storage.output=obs://bucket/out")
    assert outcome.status == 1
    assert "needs storage.endpoint=" in outcome.err
    assert not (outcome.folder / "checkpoints").exists()


def test_pictures_and_features_behind_urls(trained: Any, program: Any, data: Path, tmp_path: Path) -> None:
    pictures = next(data.rglob("query"))
    names = sorted(path.name for path in pictures.glob("*.jpg"))
    cache = f"storage.cache={tmp_path}/cache"
    weights = f"checkpoint=file://{trained.folder}/checkpoints/best.ckpt"
    to = tmp_path / "out" / "features.npz"
    words = [f"task.images=file://{pictures}", f"task.to=file://{to}", weights, cache]
    extracted = program.inside("task=extract", *words)
    assert extracted.status == 0, extracted.err
    assert f"is copied to file://{to}" in extracted.out
    assert list(read_features(to).names) == names
    words = [f"task.queries=file://{to}", f"task.gallery=file://{to}", "task.top=2", cache]
    found = program.inside("task=search", *words, small=False)
    assert found.status == 0, found.err
    assert (found.folder / "search.csv").read_text().count("\n") == 1 + 2 * len(names)
    both = ",".join(f"file://{pictures / name}" for name in names[:2])
    matched = program.inside("task=match", f"task.images=[{both}]", weights, cache, small=False)
    assert matched.status == 0, matched.err
    told = json.loads((matched.folder / "match.json").read_text())["images"]
    assert [Path(path).name for path in told] == names[:2]
    assert all(path.startswith(f"{tmp_path}/cache/") for path in told)


def test_a_zip_of_a_benchmark_is_unpacked_once(
    trained: Any, program: Any, data: Path, tmp_path: Path
) -> None:
    """As ModelArts's jobs find it in data_url."""
    benchmark = next(data.rglob("bounding_box_train")).parent
    kept = tmp_path / "obs"
    kept.mkdir()
    shutil.make_archive(str(kept / "market1501"), "zip", benchmark)
    words = ["data=market1501", f"paths.data=file://{kept}", "data.verify=false", "storage.unpack=true"]
    words += [f"checkpoint={trained.folder}/checkpoints/best.ckpt", f"storage.cache={tmp_path}/cache"]
    for unpacked in (True, False):
        outcome = program.inside("task=evaluate", *words, "trainer.precision=32-true", small=False)
        assert outcome.status == 0, outcome.err
        assert ("unpacking " in outcome.err) == unpacked
    assert outcome.metrics()["mAP"] == pytest.approx(trained.metrics()["mAP"], abs=1e-6)
