"""Evidence can be had again: each study is whole, its commands compose, and mean what they meant."""

import csv
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import ROOT, composed
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

STUDIES = sorted(path for path in (ROOT / "experiments").iterdir() if path.is_dir())
LARGEST = 500_000  # bytes of a file
# where things lie and how fast they go: figures do not depend on it
PLACES = re.compile(r"paths\.|data\.root$|data\.pose_checkpoint$|checkpoint$|callbacks\.\w+\.(path|folder)$")
SPEED = ("device.threads", "report", "check")
each_study = pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.name)


@pytest.fixture(autouse=True)
def hydra_of_its_own() -> Iterator[None]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield
    GlobalHydra.instance().clear()


def commands(study: Path, program: str = "python run.py") -> list[list[str]]:
    """The words behind the program of each line of README that begins with it."""
    lines = (line.strip() for line in (study / "README.md").read_text().splitlines())
    return [
        shlex.split(line.removeprefix(program), comments=True) for line in lines if line.startswith(program)
    ]


def trainings(study: Path) -> list[list[str]]:
    return [words for words in commands(study) if not any(word.startswith("task=") for word in words)]


each_training = pytest.mark.parametrize(
    "study", [study for study in STUDIES if trainings(study)], ids=lambda path: path.name
)


def flat(section: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """``a.b.c`` and its value, of all values that are no sections."""
    if not isinstance(section, dict) or not section:
        yield place, section
        return
    for key, value in section.items():
        yield from flat(value, f"{place}.{key}".lstrip("."))


@each_study
def test_a_study_stands_in_the_index(study: Path) -> None:
    assert f"| [{study.name}]({study.name}) |" in (ROOT / "experiments" / "README.md").read_text()


@each_study
def test_a_study_says_how_it_was_made(study: Path) -> None:
    readme = (study / "README.md").read_text()
    assert commands(study) or commands(study, "pytest")
    for fact in (r"\bAMD EPYC\b", r"\btorch \d+\.\d+", r"\b20\d\d-\d\d-\d\d\b", r"\bcommit [0-9a-f]{7}\b"):
        assert re.search(fact, readme), fact
    for words in commands(study, "pytest"):
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))


@each_training
def test_a_training_left_its_configuration_figures_and_a_plot(study: Path) -> None:
    names = {path.name for path in study.iterdir()}
    assert "config.yaml" in names
    assert {"results.csv"} <= names or {"metrics.csv", "metrics.json"} <= names
    assert [name for name in names if name.endswith(".png")]


@each_study
def test_a_study_is_small(study: Path) -> None:
    assert [path.name for path in study.iterdir() if path.stat().st_size > LARGEST] == []


@each_training
def test_readme_gives_the_scores_that_were_found(study: Path) -> None:
    """Each job's mAP or PCK, in per cent, and not one that was mistyped."""
    given = re.findall(r"\d+\.\d+", readme_of(study))
    assert [score for score in scores(study) if f"{100 * score:.1f}" not in given] == []


def scores(study: Path) -> list[float]:
    """Of the jobs of a sweep, or of the run."""
    if (study / "results.csv").is_file():
        with (study / "results.csv").open() as file:
            return [float(row["objective"]) for row in csv.DictReader(file) if row["objective"]]
    figures = json.loads((study / "metrics.json").read_text())
    return [figures["mAP" if "mAP" in figures else "pck"]]


@each_study
def test_commands_compose(study: Path) -> None:
    for words in commands(study):
        sweep = any(word == "-m" or word.startswith("sweep=") for word in words)
        assert composed([word for word in words if word != "-m"], sweep=sweep)


@each_training
def test_a_training_means_what_it_meant(study: Path) -> None:
    """Keys of the stored configuration have their values today, or README names them: ``Since then: `key```.

    New keys are new options, whose defaults other tests hold to what was before.
    """
    stored = dict(flat(OmegaConf.to_container(OmegaConf.load(study / "config.yaml"))))
    told = re.findall(r"`([\w.]+)`", "".join(re.findall(r"^Since then:.*", readme_of(study), re.MULTILINE)))
    changes = []
    for words in trainings(study):
        (config,) = composed(of_best_job(words, study), sweep=False)
        today = dict(flat(OmegaConf.to_container(config)))
        changes.append([key for key in stored if key not in today or today[key] != stored[key]])
    fewest = min(changes, key=len)  # the command that the configuration is of
    assert [key for key in fewest if key not in (*SPEED, *told) and not PLACES.match(key)] == []


def readme_of(study: Path) -> str:
    return (study / "README.md").read_text()


def of_best_job(words: list[str], study: Path) -> list[str]:
    """The command of the job whose configuration a sweep's folder keeps: the first of its results."""
    if not (study / "results.csv").is_file():
        return words
    with (study / "results.csv").open() as file:
        best = next(csv.DictReader(file))
    known = list(best)
    varied = {key: best[key] for key in known[known.index("job") + 1 : known.index("status")]}
    rest = [word for word in words if word.partition("=")[0] not in ("-m", "sweep", *varied)]
    return [*rest, *(f"{key}={value}" for key, value in varied.items())]
