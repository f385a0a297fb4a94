"""What the evaluation callback gathers and reports."""

import pytest
import torch

from reid.callbacks.retrieval import RetrievalMetrics, feature_columns, features_of, in_bytes, in_list_order
from reid.contracts import Features
from reid.evaluation import rows


def test_rows_come_back_in_list_order_without_the_copies_of_padding() -> None:
    columns = {"index": torch.tensor([2, 0, 3, 1, 0]), "value": torch.tensor([20, 0, 30, 10, 0])}
    assert in_list_order(columns, 4)["value"].tolist() == [0, 10, 20, 30]


def test_rows_that_were_not_evaluated_are_missed() -> None:
    with pytest.raises(ValueError, match="1 of 3 images were not evaluated"):
        in_list_order({"index": torch.tensor([0, 2])}, 3)


@pytest.mark.parametrize("stripes", [None, torch.arange(24, dtype=torch.bfloat16).view(4, 2, 3)])
def test_what_distances_compare_is_gathered_in_float32(stripes: torch.Tensor | None) -> None:
    embedding = torch.arange(8, dtype=torch.bfloat16).view(4, 2)
    whole = Features(embedding=embedding, pooled=embedding, stripes=stripes)
    gathered = features_of(feature_columns([rows(whole, slice(0, 3)), rows(whole, slice(3, 4))]))
    assert torch.equal(gathered.embedding, embedding.float())
    if stripes is None:
        assert gathered.stripes is None
    else:
        assert gathered.stripes is not None
        assert torch.equal(gathered.stripes, stripes.float())


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(None, None), (1000, 1000), ("2GB", 2 * 10**9), ("1.5 mb", 1_500_000), ("64k", 64_000), ("12B", 12)],
)
def test_amounts_of_memory(amount: int | str | None, expected: int | None) -> None:
    assert in_bytes(amount) == expected


@pytest.mark.parametrize("amount", ["2 apples", "-1", "", "GB", True])
def test_what_is_no_amount_of_memory(amount: int | str) -> None:
    with pytest.raises(ValueError, match=r"evaluation\.memory=.*as 2GB"):
        in_bytes(amount)


def test_the_distance_that_decides_comes_first_and_once() -> None:
    assert RetrievalMetrics("cosine", ["euclidean", "cosine"]).report == ["cosine", "euclidean"]
