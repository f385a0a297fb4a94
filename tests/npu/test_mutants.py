"""Plugins with one mistake each fail a check that ours passes: those of `test_ranks.py` can fail."""

from pathlib import Path

import pytest
from npu.ranks import CHECKS, Ranks, start_ranks

pytestmark = [pytest.mark.npu, pytest.mark.slow]
CAUGHT: dict[str, tuple[set[str], str]] = {  # by which checks, and what the ranks say
    "no set_device": ({"devices"}, ""),
    "one device": ({"devices"}, ""),
    "no DDP": ({"gradients"}, ""),
    "stock reduce": ({"reductions", "end"}, "can't be cast to the desired output type Long"),
    "gloo": (set(CHECKS), "No backend type associated with device type npu"),
}


def failing(ranks: Ranks) -> set[str]:
    """The names of the checks that fail."""
    names = set()
    for name, check in CHECKS.items():
        try:
            check(ranks)
        except AssertionError:
            names.add(name)
    return names


@pytest.mark.parametrize("mutant", CAUGHT)
def test_a_broken_plugin_is_caught(mutant: str, npu_variables: dict[str, str], tmp_path: Path) -> None:
    checks, message = CAUGHT[mutant]
    ranks = start_ranks(mutant, tmp_path, npu_variables, limit=300)
    assert failing(ranks) == checks, ranks.errors[-3000:]
    assert message in ranks.errors
