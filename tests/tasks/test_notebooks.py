"""Both notebooks run from their first cell to their last, and are stored as they were before."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells(name: str) -> list[dict]:
    return [
        cell
        for cell in json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"]
        if cell["cell_type"] == "code"
    ]


def code(name: str, parameters: str) -> str:
    """All cells in a row, with other values behind the one that is tagged for them, as papermill does it."""
    parts = []
    for cell in cells(name):
        parts += ["".join(cell["source"])]
        parts += [parameters] * ("parameters" in cell["metadata"].get("tags", []))
    assert parameters in parts, "one cell is tagged"
    return "\n\n".join(parts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    for cell in cells(path.stem):
        assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_quick_start(data: Path, small: list[str], tmp_path: Path) -> None:
    """In a process of its own, as a training sets threads and memory for all that comes after it."""
    words = [word for word in small if "epochs" not in word] + ["trainer.max_epochs=1", "device.threads=1"]
    parameters = f"output, data, words = Path({str(tmp_path)!r}), Path({str(data)!r}), {words!r}"
    said = "import sys; sys.stderr.write(json.dumps([again, figures['mAP'], epochs, features.shape]))"
    program = f"{code('quick_start', parameters)}\n\n{said}"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    again, trained, epochs, shape = json.loads(done.stderr.splitlines()[-1])
    assert again == trained, "an evaluation says what the training said"
    assert len(epochs) == 1
    assert shape[1] == 512


def test_look_at_a_model(trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parameters = f"run, pictures = Path({str(trained.folder)!r}), Path({str(tmp_path / 'new')!r})"
    names: dict = {}
    exec(code("look_at_a_model", parameters), names)
    found = names["retrieval_metrics"](names["ranking"])["mAP"]
    assert found == pytest.approx(trained.metrics()["mAP"], abs=1e-4), (
        "the search by hand is the evaluation's"
    )
    assert names["last_maps"](names["paths"]).shape[1:] == (128, 4, 2), "of 64 x 32, halved four times"
    drawn = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert drawn == ["activation.png", "map.png", "ranked_lists.png"]
