"""task=check of NPUs: the list that a user with cards runs first."""

import json

import pytest

pytestmark = pytest.mark.npu


def test_two_npus_sum_over_hccl_and_train(npu) -> None:
    outcome = npu("task=check", "trainer=npu_8p", "trainer.devices=[2,5]")
    assert outcome.status == 0, outcome.err
    rows = {row["code"]: row for row in json.loads((outcome.folder / "check.json").read_text())["devices"]}
    assert {row["level"] for row in rows.values()} == {"note"}, outcome.out
    messages = {code: row["message"] for code, row in rows.items()}
    assert "torch_npu 2." in messages["versions"]
    assert "CANN" in messages["versions"]
    assert "Ascend" in messages["versions"]
    assert "2 asked, 2 processes work" in messages["devices"]
    assert "ranks use 2, 5" in messages["devices"]
    assert "over 2 ranks by" in messages["all-reduce"]
    assert "hccl" in messages["all-reduce"]
    assert "images/s" in messages["training-step"]


@pytest.mark.parametrize(("variables", "message"), [({"NPU_SIM_DEVICES": "2"}, "this process sees 2 NPUs")])
def test_fewer_npus_than_asked_are_one_line(npu, variables: dict[str, str], message: str) -> None:
    if not npu.variables:
        pytest.skip("a real machine has the devices that it has")
    outcome = npu("task=check", "trainer=npu_8p", **variables)
    assert outcome.status == 1
    (line,) = [text for text in outcome.err.splitlines() if text.startswith("Error")]
    assert message in line
