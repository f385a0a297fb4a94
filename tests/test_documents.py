"""What README and docs say is so: their sentences compose, their files are there, their lists are whole."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from documents import BLOCKS, FENCE, PAGES, ROOT, Block, composed
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ELSEWHERE = "docs/extending.md"  # tests/tasks/test_extending.py runs it
COMMANDS = [
    (block, line)
    for block in BLOCKS
    if block.language == "sh" and block.page != ELSEWHERE
    for line in block.commands()
]
BEFORE = re.compile(  # whoever starts a sentence
    r"(?:(?:[A-Z_]+=\w+ )*|python3 -m venv \.venv && \.venv/bin/pip install \. && \.venv/bin/)"
    r"python run\.py(?: |$)"
    r"|(?:mkdir -p outputs && )?docker run (?:-\S+ (?:all |\S+:\S+ )?)+reid(?:-npu)?(?: |$)"
)
SENTENCES = list(dict.fromkeys(line for _, line in COMMANDS if BEFORE.match(line)))
OTHERS = [(block, line) for block, line in COMMANDS if not BEFORE.match(line)]
# what may stand beside sentences, and is not run here: each was looked at when it was added
KNOWN = (
    r'python3 -m venv \.venv && \.venv/bin/pip install -e "\.\[(?P<extra>dev)\]" && \.venv/bin/python -m'
    r" pytest",
    r'pip install "(\.|reid-lightning)\[(?P<extra>\w+)\]"',
    r"wandb login",
    r"wandb sync outputs/train/\*/\*/wandb/offline-run-\*",
    r"source /usr/local/Ascend/ascend-toolkit/set_env\.sh",
    r"npu-smi info",
    r"export AWS_ACCESS_KEY_ID=\.\.\. AWS_SECRET_ACCESS_KEY=\.\.\.",
    r"cd prepared && python -m ais_bench --model \S+\.om --input query --output out --output_dirname query"
    r" --outfmt BIN --batchsize 1",
    r"cd prepared && \./benchmark\.x86_64( -\w+=\S+)+",
    r"docker build -t reid(-npu)?( --build-arg [A-Z]+=[\w/:.,-]+)* \.",
)


def keys_of_conf() -> set[str]:
    """All that the command line may set, by the files alone."""
    keys = set()
    for path in (ROOT / "conf").rglob("*.yaml"):
        group = path.parent.name
        outermost = group == "conf" or "@package _global_" in path.read_text()
        section = OmegaConf.to_container(OmegaConf.load(path))
        keys |= keys_below(section, place="" if outermost else group) | {group}
    return keys


def keys_below(section: object, *, place: str) -> set[str]:
    if not isinstance(section, dict):
        return {place}
    inner = (keys_below(value, place=f"{place}.{key}".lstrip(".")) for key, value in section.items())
    return {place}.union(*inner)


KEYS = keys_of_conf()


@pytest.fixture(autouse=True)
def hydra_of_its_own() -> Iterator[None]:
    GlobalHydra.instance().clear()
    yield
    GlobalHydra.instance().clear()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_stands_between_fences(page: Path) -> None:
    """Indented code would have no language, and no test would see it."""
    fenced = [
        line
        for block in BLOCKS
        if block.page == str(page.relative_to(ROOT))
        for line in block.text.splitlines()
    ]
    indented = [line for line in page.read_text().splitlines() if line.startswith("    ")]
    assert [line for line in indented if line not in fenced] == []
    assert page.read_text().count("```") == 2 * sum(
        block.page == str(page.relative_to(ROOT)) for block in BLOCKS
    )


def test_the_first_two_blocks_are_one_command_each() -> None:
    install, test = (block.text for block in BLOCKS[:2])
    assert len(install.splitlines()) == len(test.splitlines()) == 1
    assert "run.py" in install
    assert "[dev]" in test
    assert "pytest" in test


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_composes_each_of_its_jobs(sentence: str) -> None:
    """The words after run.py, whoever starts it; --cfg would end where this does."""
    words = shlex.split(BEFORE.sub("", sentence, count=1))
    flags = [word for word in words if word.startswith("-") and not word.startswith("--")]
    assert set(flags) <= {"-m"}
    initialize_config_dir(str(ROOT / "conf"), version_base="1.3")
    assert composed([word for word in words if word not in flags], sweep="-m" in flags)


@pytest.mark.parametrize(("block", "line"), OTHERS, ids=str)
def test_any_other_line_is_known(block: Block, line: str) -> None:
    found = next((found for pattern in KNOWN if (found := re.fullmatch(pattern, line))), None)
    assert found, f"{block}: {line}: nobody has looked at this line; add it to KNOWN, or run it in a test"
    extra = found.groupdict().get("extra")
    assert extra is None or extra in PROJECT["optional-dependencies"]


def test_each_block_says_what_it_is() -> None:
    """Shell is checked here, python and csv in tests/tasks/test_code_blocks.py; text is what is printed."""
    for block in BLOCKS:
        assert block.language in ("sh", "python", "json", "csv", "yaml", "text"), block
        assert block.language != "yaml" or block.page == ELSEWHERE, block
        if block.language == "json":
            json.loads(block.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_within_the_text_exist(page: Path) -> None:
    """Of each `key=value` in the prose the key, and of a group all options that `a|b` names."""
    words = re.findall(r"`([^`]+)`", FENCE.sub("", page.read_text()))
    pairs = [
        re.fullmatch(r"[+~]?([a-z]\w*(?:[./]\w+)*)=(.*)", word) for span in words for word in span.split()
    ]
    for key, value in (found.groups() for found in pairs if found and not found[2].startswith('"')):
        assert key.startswith("hydra") or key in KEYS, f"{page.name}: {key}={value}"
        for option in re.split(r"[|,]", value) if (ROOT / "conf" / key).is_dir() and value else ():
            assert (ROOT / "conf" / key / f"{option}.yaml").is_file(), f"{page.name}: {key}={value}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Files of the repository, and headings in them."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        place = page.parent / path if path else page
        assert place.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", place.read_text(), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in anchors, target


@pytest.mark.parametrize(
    "group",
    [path.name for path in sorted((ROOT / "conf").iterdir()) if path.is_dir() and path.name != "callbacks"],
)
def test_the_readme_lists_every_option(group: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{group}` |"))
    options = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")} - {"default"}
    assert {option for option in options if f"`{option}`" not in row} == set()
