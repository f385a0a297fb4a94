"""The fenced blocks of README and docs, and the jobs that a sentence in them stands for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from reid.launch import in_our_words

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: the page and the line of its fence, its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """Where its lines belong, if the first says so."""
        found = re.match(r"# ((?:\w+/)+\w+\.\w+)\n", self.text)
        return found and found[1]

    def commands(self) -> list[str]:
        """The lines of a shell block, comments left out."""
        lines = (re.sub(r"(^| +)# .*", "", line).strip() for line in self.text.splitlines())
        return [line for line in lines if line]


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(str(page.relative_to(ROOT)), line, *found.groups())


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def jobs(words: list[str], *, sweep: bool) -> list[list[str]]:
    """A sentence's jobs: all options that take several values go through them side by side.

    Each value is met, a range's first and last, but not each combination, which would say no more.
    """
    choices = []
    for override in OverridesParser.create().parse_overrides(words):
        assert sweep or not override.is_sweep_override(), f"{override.input_line}: several values need -m"
        key = override.get_key_element()
        values = list(override.sweep_string_iterator()) if override.is_sweep_override() else []
        if override.is_range_sweep():
            values = [values[0], values[-1]]
        choices.append([f"{key}={value}" for value in values] or [str(override.input_line)])
    longest = max((len(values) for values in choices), default=1)
    return [list(job) for job in zip(*(islice(cycle(values), longest) for values in choices), strict=True)]


def composed(words: list[str], *, sweep: bool) -> list[DictConfig]:
    """What each job of a sentence would be run with, all values resolved, as ``--cfg job --resolve`` does."""
    configs = []
    for job in jobs(in_our_words(words), sweep=sweep) or [[]]:
        config = compose("config", [*job, "paths.output=outputs/test"], return_hydra_config=True)
        with open_dict(config):
            hydra = config.pop("hydra")
        if hydra.mode is not None and hydra.mode.name == "MULTIRUN" and not sweep:
            grid = [f"{key}={values}" for key, values in hydra.sweeper.params.items()]
            rest = [word for word in words if not word.startswith("sweep=")]
            if "BasicSweeper" in hydra.sweeper._target_:
                return composed([*rest, *grid], sweep=True)
        OmegaConf.resolve(config)
        configs.append(config)
    return configs
