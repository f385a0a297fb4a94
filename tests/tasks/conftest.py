"""A program that tests talk to in sentences, over a benchmark small enough to train on in seconds."""

import contextlib
import csv
import io
import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import run

ROOT = Path(__file__).parents[2]
SMALL = [
    "data.drawing={train_identities: 8, test_identities: 6, passes: 3, shots: 2, distractors: 4, junk: 3}",
    "data.image_size=[64, 32]",
    "data.batch_size=16",
    "data.evaluation_batch_size=8",
    "trainer.max_epochs=2",
    "trainer.precision=32-true",
    "device.reuse_memory=false",
]


@dataclass(frozen=True)
class Outcome:
    """How a run of the program ended."""

    status: int
    out: str
    err: str
    folder: Path

    def metrics(self) -> dict:
        return json.loads((self.folder / "metrics.json").read_text())

    def table(self) -> list[dict[str, str]]:
        with (self.folder / "metrics.csv").open() as file:
            return list(csv.DictReader(file))


class Program:
    """`python run.py SENTENCE`, with a folder of its own for each run."""

    def __init__(self, data: Path, work: Path) -> None:
        self.data = data
        self.work = work
        self.runs = 0

    def start(
        self, *sentence: str, small: bool = True, largest_file: int | None = None, **environment: str
    ) -> tuple[subprocess.Popen[str], Path]:
        """A run under way; the disk refuses files over ``largest_file`` bytes, as a full one would."""
        self.runs += 1
        folder = self.work / f"run{self.runs}"
        command = [
            sys.executable,
            "run.py",
            *(word for word in sentence if word.startswith("-")),  # argparse wants flags before the sentence
            f"hydra.run.dir={folder}",
            *(SMALL if small else []),
            *(word for word in sentence if not word.startswith("-")),
        ]
        environment = {
            **os.environ,
            "REID_DATA": str(self.data),
            "OMP_NUM_THREADS": "1",
            "WANDB_MODE": "offline",
            **environment,
        }
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file, largest_file))
            if largest_file
            else None,
        )
        return process, folder

    def __call__(self, *sentence: str, **settings: Any) -> Outcome:
        process, folder = self.start(*sentence, **settings)
        out, err = process.communicate(timeout=1500)
        return Outcome(process.returncode, out, err, folder)

    def inside(self, *sentence: str, small: bool = True) -> Outcome:
        """The same in this process: spares the imports where a run ends before it trains."""
        self.runs += 1
        folder = self.work / f"run{self.runs}"
        words = [
            "run.py",
            f"--config-path={ROOT}/conf",
            f"hydra.run.dir={folder}",
            *(SMALL if small else []),
            *sentence,
        ]
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(sys, "argv", words),
            mock.patch.dict(os.environ, REID_DATA=str(self.data)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                run.main()
                status = 0
            except SystemExit as leaving:
                status = int(leaving.code or 0)
        return Outcome(status, out.getvalue(), err.getvalue(), folder)


@pytest.fixture(scope="session")
def small() -> list[str]:
    """The words that make a run short."""
    return SMALL


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this session's benchmarks lie."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def program(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Program:
    return Program(data, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def trained(program: Program) -> Outcome:
    """Two epochs, to be read by many tests."""
    outcome = program()
    assert outcome.status == 0, outcome.err
    return outcome
