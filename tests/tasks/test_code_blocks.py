"""Python and tables in README and docs, run beside a small training's checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from documents import BLOCKS, Block

from reid.datasets import read_own

PYTHON = [block for block in BLOCKS if block.language == "python" and block.file is None]
TABLES = [block for block in BLOCKS if block.language == "csv"]


def check_features(names: dict[str, Any]) -> None:
    """What the comments of docs/deployment.md say of its names."""
    assert names["features"].shape == (8, 512)
    assert names["features"].dtype == np.float32
    assert names["one"].shape == (1, 512)
    assert [Path(name).name for name in names["found"].names] == sorted(
        path.name for path in Path("pictures").iterdir()
    )
    np.testing.assert_array_equal(names["found"].embedding, names["features"])


def no_more(names: dict[str, Any]) -> None:
    """A block that asserts what it says needs no check from here."""


CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {"docs/deployment.md": check_features}


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(
    block: Block, trained, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "best.ckpt").symlink_to(trained.folder / "checkpoints" / "best.ckpt")
    (tmp_path / "pictures").mkdir()
    queries = sorted(data.rglob("query/*.jpg"))[:8]
    for path in queries:
        (tmp_path / "pictures" / path.name).symlink_to(path)
    (tmp_path / "a.jpg").symlink_to(queries[0])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), names)
    CHECKS.get(block.page, no_more)(names)


@pytest.mark.parametrize("block", TABLES, ids=str)
def test_a_table_is_read_as_your_own_pictures(block: Block, tmp_path: Path) -> None:
    rows = [line.split(",") for line in block.text.splitlines()[1:]]
    for row in rows:
        (tmp_path / row[0]).parent.mkdir(exist_ok=True)
        (tmp_path / row[0]).touch()
    (tmp_path / "images.csv").write_text(block.text)
    benchmark = read_own(tmp_path, table=Path("images.csv"))
    parts = {"train": benchmark.train, "query": benchmark.query, "gallery": benchmark.gallery}
    assert {name: len(part) for name, part in parts.items()} == {
        name: sum(row[3] == name for row in rows) for name in parts
    }
