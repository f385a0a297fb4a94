"""Checkpoints -> networks that pictures alone are enough for."""

from pathlib import Path

from torch import nn

from reid.checkpoint import read_checkpoint
from reid.deploy import Card
from reid.deploy.files import describe_file
from reid.tasks.build import restored


def read_network(path: Path) -> tuple[Card, nn.Module]:
    """What a checkpoint of ours takes and gives, and its network in evaluation mode on the CPU.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no checkpoint of ours, or one that does not say what its input looks like.
    """
    checkpoint = read_checkpoint(path)
    told = checkpoint["reid"]
    if lacking := [key for key in ("model", "image_size", "distance") if key not in told]:
        raise ValueError(
            f"{path} does not say its {' and '.join(lacking)}, and nothing is guessed: train it again, or"
            " make it from its weights with task=convert"
        )
    network = restored(dict(told["model"]), checkpoint).network
    return describe_file(told, network.eval(), source=str(path)), network


def check_card(card: Card, path: Path) -> None:
    """Refuse networks that pictures alone are not enough for, and those without features.

    Raises:
        ValueError: with what the network needs.
    """
    wanted = [
        words
        for on, words in (
            (card.heatmap, "36 heatmaps of keypoints"),
            (card.segment, "13 masks of faces"),
            (card.keypoints, "36 keypoints"),
        )
        if on
    ]
    if wanted:
        raise ValueError(
            f"{path} ({card.model}) sees {', '.join(wanted)} beside each picture, and pictures alone were"
            " given: use a network trained without data.heatmap, data.segment and data.keypoints, or"
            " task=evaluate, whose data.guides brings them"
        )
    if "embedding" not in card.outputs.values():
        raise ValueError(f"{path} ({card.model}) gives {', '.join(card.outputs.values())}, no features")
