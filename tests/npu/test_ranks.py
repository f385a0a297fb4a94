"""Two ranks of the plugin without a training: reductions, gradients, hooks, random state, statistics."""

import numpy as np
import pytest
from npu.ranks import CHECKS, Ranks, formula, start_ranks

pytestmark = pytest.mark.npu


@pytest.fixture(scope="module")
def ranks(npu_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Ranks:
    return start_ranks("ours", tmp_path_factory.mktemp("ranks"), npu_variables, limit=300)


@pytest.mark.parametrize("name", CHECKS)
def test_two_ranks_pass(ranks: Ranks, name: str) -> None:
    CHECKS[name](ranks)


def test_a_communication_hook_sums_the_gradients_in_float16(ranks: Ranks) -> None:
    for found in ranks["hooked"]:
        assert found["buckets"] == ["npu"]
        np.testing.assert_allclose(found["gradient"], formula(), rtol=4e-3, atol=1e-3)
        assert np.abs(found["gradient"] - formula()).max() > 1e-5, "float16 rounds"


def test_the_random_state_of_each_rank_is_saved_and_put_back(ranks: Ranks) -> None:
    for drawn in ranks["draws"]:
        assert drawn["again"] == drawn["first"] != drawn["later"]


def test_device_statistics_count_the_bytes_that_are_held(ranks: Ranks) -> None:
    for found in ranks["statistics"]:
        before, after = found["before"], found["after"]
        held = after["allocated_bytes.all.current"] - before["allocated_bytes.all.current"]
        assert 2**20 <= held <= 2**20 + 4096  # blocks are whole kilobytes
        assert 0 < after["free_bytes"] <= after["total_bytes"]
