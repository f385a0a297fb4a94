"""The notebook reads a run's folder, cell by cell."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "read_a_run.ipynb"


def test_the_notebook_runs(trained, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.py").touch()
    (tmp_path / "outputs" / "train" / "small").mkdir(parents=True)
    (tmp_path / "outputs" / "train" / "small" / "run").symlink_to(trained.folder)
    (tmp_path / "data").symlink_to(data)
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["features"].embedding.shape == (8, 512)
    assert names["figures"]["mAP"] == trained.metrics()["mAP"]
