"""What README says is so."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
LINES = [line for block in BLOCKS for line in block.splitlines()]
for page in sorted((ROOT / "docs").glob("*.md")):
    LINES += [line.strip() for line in page.read_text().splitlines()]
SENTENCES = [line.split("#")[0].strip() for line in LINES if line.startswith("python run.py")]


def test_the_first_two_blocks_are_one_command_each() -> None:
    install, test = BLOCKS[:2]
    assert len(install.splitlines()) == len(test.splitlines()) == 1
    assert "run.py" in install
    assert "[dev]" in test
    assert "pytest" in test


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_of_the_documents_composes(sentence: str) -> None:
    words = [word for word in shlex.split(sentence)[2:] if not word.startswith("-")]
    first_choice = [re.sub(r"=range\(.*|=([^\[{,]+),.*", lambda m: f"={m[1] or 0}", word) for word in words]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        compose("config", ["paths.output=outputs/test", *first_choice])


@pytest.mark.parametrize(
    "group",
    ["task", "model", "data", "trainer", "cluster", "platform", "optimizer", "schedule", "transforms"],
)
def test_the_readme_lists_every_option(group: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{group}` |"))
    options = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")} - {"default"}
    assert {option for option in options if f"`{option}`" not in row} == set()
