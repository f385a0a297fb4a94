"""How often a network names the right value of an attribute, and which values it takes for which."""

import torch
from torch import Tensor

UNKNOWN = -1  # the label of an image whose value nobody knows


def confusion_matrix(true: Tensor, predicted: Tensor, *, classes: int, name: str = "the attribute") -> Tensor:
    """(A, A) int64 on the CPU: how many images of each true value (row) were given each value (column).

    Args:
        true: (N,) int64 labels; `UNKNOWN` ones do not count.
        predicted: (N,) int64, each below ``classes``: where the network's scores are highest.
        classes: A, how many values the network has scores for.
        name: of the attribute, for messages.

    Raises:
        ValueError: not as many labels as predictions, or one outside of 0 … A − 1.
    """
    if true.shape != predicted.shape:
        raise ValueError(f"{len(true)} labels and {len(predicted)} predictions of {name}: give one per image")
    known = true != UNKNOWN
    true, predicted = true[known].cpu(), predicted[known].cpu()
    for what, values in (("label", true), ("prediction", predicted)):
        if len(outside := values[(values < 0) | (values >= classes)]):
            raise ValueError(
                f"{name} has the {what} {int(outside[0])}, and the network scores {classes} values, 0 to "
                f"{classes - 1}: evaluate on the benchmark it was trained on, or on one of the same values"
            )
    return torch.bincount(true * classes + predicted, minlength=classes**2).view(classes, classes)


def accuracy(matrix: Tensor) -> float:
    """The share of the images of an (A, A) confusion matrix that are on its diagonal; NaN without images."""
    return (matrix.diagonal().sum().double() / matrix.sum()).item()
