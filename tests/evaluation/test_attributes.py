"""Confusion matrices and accuracies against counting one image after the other."""

import math
import random

import pytest
import torch

from reid.evaluation import accuracy, confusion_matrix


@pytest.mark.parametrize("seed", range(30))
def test_equals_counting(seed: int) -> None:
    draw = random.Random(seed)
    classes = draw.randint(1, 11)
    images = [(draw.randint(-1, classes - 1), draw.randrange(classes)) for _ in range(draw.randint(0, 200))]
    counted = [[0] * classes for _ in range(classes)]
    for true, predicted in images:
        if true >= 0:
            counted[true][predicted] += 1
    known = [(true, predicted) for true, predicted in images if true >= 0]
    true, predicted = torch.tensor(images, dtype=torch.int64).reshape(-1, 2).T
    matrix = confusion_matrix(true, predicted, classes=classes)
    assert matrix.dtype == torch.int64
    assert matrix.tolist() == counted
    if known:
        assert accuracy(matrix) == pytest.approx(sum(t == p for t, p in known) / len(known), abs=1e-15)
    else:
        assert math.isnan(accuracy(matrix))


def test_by_hand() -> None:
    true, predicted = torch.tensor([0, 0, 1, 2, -1, 0]), torch.tensor([0, 1, 1, 0, 2, 0])
    matrix = confusion_matrix(true, predicted, classes=3)
    assert matrix.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert accuracy(matrix) == 3 / 5


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([0, 4], [0, 1], "color has the label 4, and the network scores 3 values, 0 to 2"),
        ([0, -2], [0, 1], "color has the label -2"),
        ([0, 1], [0, 3], "color has the prediction 3"),
        ([0, 1], [0], "2 labels and 1 predictions of color"),
    ],
)
def test_what_does_not_fit_is_named(true: list[int], predicted: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(torch.tensor(true), torch.tensor(predicted), classes=3, name="color")
