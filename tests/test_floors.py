"""Imports point down: a floor of the house knows only those below it, and run.py waits for nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    "contracts": 0,
    "whole": 0,
    "datasets": 1,
    "loading": 1,
    "networks": 1,
    "weights": 1,
    "losses": 1,
    "evaluation": 1,
    "checks": 1,
    "plots": 1,
    "pages": 1,
    "deploy": 1,
    "checkpoint": 1,
    "rank_table": 1,
    "status": 1,
    "storage": 1,
    "unpacking": 1,
    "modules": 2,
    "datamodules": 2,
    "callbacks": 2,
    "loggers": 2,
    "npu": 2,
    "tasks": 3,
    "inference": 3,
    "job": 3,
    "launch": 3,
    "sweep": 3,
}
ABOVE = {"pytorch_lightning": 2, "hydra": 3, "omegaconf": 3}  # the lowest floor that may know it
SOURCES = sorted((ROOT / "reid").rglob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    parts = path.relative_to(ROOT / "reid").with_suffix("").parts
    if parts == ("__init__",):
        assert not imported(path), "importing reid costs nothing"
        return
    floor = FLOORS[parts[0]]
    for name in imported(path):
        top, *rest = name.split(".")
        if top == "reid" and rest:
            assert FLOORS[rest[0]] <= floor, f"{path.name} (floor {floor}) imports {name}"
        assert ABOVE.get(top, 0) <= floor, f"{path.name} (floor {floor}) imports {name}"
        assert top != "lightning", "pytorch_lightning's classes are not lightning's"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_help_waits_for_nothing_heavy() -> None:
    heavy = {"torch", "pytorch_lightning", "albumentations", "cv2"}
    code = f"import sys, run; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
