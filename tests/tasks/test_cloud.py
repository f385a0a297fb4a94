"""run.py with URLs: data come through the cache, outputs arrive, those of failed runs too."""

import json
from pathlib import Path
from typing import Any

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
