"""The image's steps, one by one in a clean folder, as far as they go without Docker."""

import fnmatch
import json
import os
import re
import shutil
import string
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
KEYWORDS = ("ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT")


def instructions() -> list[tuple[str, str]]:
    """Keyword and rest of each."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    pairs = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    assert {keyword for keyword, _ in pairs} <= set(KEYWORDS)
    return [(keyword, rest) for keyword, rest in pairs]


STEPS = instructions()
DEFAULTS = dict(rest.partition("=")[::2] for keyword, rest in STEPS if keyword == "ARG")


def filled(text: str, **arguments: str) -> str:
    """With the build's arguments in their places."""
    return string.Template(text).substitute(DEFAULTS | arguments)


def rest_of(keyword: str) -> list[str]:
    return [rest for word, rest in STEPS if word == keyword]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all COPY instructions bring, of the files that a clone has."""
    place = tmp_path_factory.mktemp("image") / "reid"
    for words in (rest.split() for rest in rest_of("COPY")):
        *sources, target = words
        for source in sources:
            to = place / source if target == "./" else place / target
            to.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, to)
    return place


def test_the_base_is_a_python_of_ours_or_another_image() -> None:
    assert STEPS[0][0] == "ARG", "the only argument that FROM knows is one before it"
    assert rest_of("FROM") == ["${BASE}"]
    python = re.fullmatch(r"python:3\.(\d+)-slim", DEFAULTS["BASE"])
    least = re.fullmatch(r">=3\.(\d+)", PROJECT["requires-python"])
    assert python is not None
    assert least is not None
    assert int(python[1]) >= int(least[1])
    assert set(DEFAULTS["EXTRAS"].split(",")) <= PROJECT["optional-dependencies"].keys()


def test_the_context_is_what_is_copied_and_holds_no_data() -> None:
    lines = (ROOT / ".dockerignore").read_text().split()
    assert lines[0] == "*", "nothing but what is named"
    named = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for rest in rest_of("COPY") for word in rest.split()[:-1]}
    assert named == copied
    assert not named & {"data", "outputs", ".git"}
    assert any(fnmatch.fnmatch("reid/__pycache__", line.replace("**", "*")) for line in lines)


def test_it_is_nobody_of_importance() -> None:
    assert rest_of("USER") == ["${UID}"]
    assert int(DEFAULTS["UID"]) > 0
    made = next(step for step in rest_of("RUN") if "useradd" in step)
    assert "mkdir data outputs && chown" in made, "what a run writes beside mounted folders is its own"
    assert subprocess.run(["bash", "-n", "-c", filled(made)], check=False).returncode == 0


def test_the_package_installs_whole(image: Path, tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    installs = [step for step in rest_of("RUN") if "pip install" in step]
    assert installs == ['python -m pip install --no-cache-dir ".[${EXTRAS}]"']
    command = filled(installs[0].replace("pip install", "pip wheel"))
    offline = f"--quiet --no-deps --no-build-isolation --wheel-dir '{tmp_path}'"
    path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", f"{command} {offline}"], cwd=image, env=os.environ | path, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = {name for name in wheel.namelist() if name.startswith("reid/")}
    assert packed == {
        path.relative_to(image).as_posix() for path in (image / "reid").rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("cann", [False, True], ids=["without CANN", "with CANN"])
def test_the_command_finds_all_it_needs(image: Path, tmp_path: Path, cann: bool) -> None:
    """With CANN's script where there is one, and arguments as they are."""
    (tmp_path / "set_env.sh").write_text("export OF_CANN=1\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "CANN": str(tmp_path / "set_env.sh") if cann else "/nowhere"}
    command = [*json.loads(rest_of("ENTRYPOINT")[0]), "--resolve", "--cfg", "job"]
    words = ["+words=a b", "+cann=${oc.env:OF_CANN,0}"]
    done = subprocess.run(
        [*command, *words], cwd=image, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "words: a b" in lines
    assert f"cann: '{int(cann)}'" in lines


def test_runs_leave_their_folders_where_a_folder_is_mounted(image: Path) -> None:
    config = OmegaConf.to_container(OmegaConf.load(image / "conf" / "config.yaml"), resolve=False)
    assert isinstance(config, dict)
    assert {config["hydra"][kind]["dir"].split("/")[0] for kind in ("run", "sweep")} == {"outputs"}
    assert rest_of("WORKDIR") == ["/reid"]
    assert "$PWD/outputs:/reid/outputs" in (ROOT / "Dockerfile").read_text()
