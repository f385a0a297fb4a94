"""docs/extending.md, done: its files in a copy of the repository, its tests and its sentences."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import BLOCKS, ROOT

PAGE = [block for block in BLOCKS if block.page == "docs/extending.md"]
FEW = ["trainer.precision=32-true", "data.image_size=[64,32]", "check=none", "report=false"]


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with the page's files."""
    root = tmp_path_factory.mktemp("extended")
    for name in ("reid", "conf", "tests"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("run.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, root)
    for block in PAGE:
        if block.file is not None:
            path = root / block.file
            assert not path.exists(), f"{block} replaces a file"
            path.write_text(block.text.partition("\n")[2])
    return root


def ran(command: list[str], root: Path) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_its_commands_run(extended: Path) -> None:
    test, train, export = (
        shlex.split(line) for block in PAGE if block.language == "sh" for line in block.commands()
    )
    assert "passed" in ran([sys.executable, *test[1:]], extended)

    draw = "from datasets.test_corridor import draw; from pathlib import Path; draw(Path('drawn'))"
    ran([sys.executable, "-c", f"import sys; sys.path.insert(0, 'tests'); {draw}"], extended)
    words = [word.replace("DIR", "drawn") for word in train[1:]]
    ran([sys.executable, *words, *FEW, "hydra.run.dir=out"], extended)
    figures = json.loads((extended / "out" / "metrics.json").read_text())
    assert (figures["queries"], figures["gallery"]) == (4, 8)
    assert "contrast" in (extended / "out" / "metrics.csv").read_text().splitlines()[0]

    words = [word.replace("outputs/...", "out") for word in export[1:]]
    ran([sys.executable, *words, "hydra.run.dir=exported"], extended)
    assert (extended / "exported" / "plain.onnx").is_file()


def test_its_files_are_clean(extended: Path) -> None:
    files = [str(block.file) for block in PAGE if block.language == "python"]
    ran([sys.executable, "-m", "ruff", "check", *files], extended)
    ran([sys.executable, "-m", "ruff", "format", "--diff", *files], extended)
