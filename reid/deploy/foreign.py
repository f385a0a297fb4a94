"""Files that other programs exported: what goes in and comes out, found by looking and by trying."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from reid.checkpoint import EXPORTED
from reid.deploy.answers import Interface
from reid.deploy.card import Card
from reid.deploy.runtimes import looked_into, open_runtime
from reid.loading.device import gray_levels
from reid.networks.multitask import KEYPOINTS

RANK = {"embedding": 1, "logits": 1, "stripes": 2}  # dimensions without the batch; attributes' are of 1


def foreign_card(
    path: Path,
    interface: Interface,
    *,
    description: Mapping[str, Any],
    heatmap: bool = False,
    segment: bool = False,
) -> Card:
    """The card of a file without one, which is said to hold a network of this interface.

    Its images are taken to be (B, C, H, W) float32, normalised as in training; outputs to be in the
    interface's order.

    Args:
        path: ONNX or TorchScript.
        interface: of the network that the file is said to hold.
        description: as in our checkpoints.
        heatmap, segment: planes that follow the image's three.

    Raises:
        ValueError: it takes or gives something else, or is an OM file, which cannot be looked into here.
    """
    if path.suffix not in EXPORTED[:2]:
        raise ValueError(
            f"{path} does not say what it takes: keep the .json that task=export wrote beside it, or evaluate"
            " the ONNX file that it was made from"
        )
    channels = 3 + 36 * heatmap + 13 * segment
    mean, std = gray_levels(channels)
    height, width = description["image_size"]
    shapes = [(channels, height, width), *[(KEYPOINTS,)] * (len(interface.inputs) - 1)]
    names, outputs, batch = list(interface.inputs), list(interface.outputs), None
    if path.suffix == ".onnx":
        session = looked_into(path)
        taken = session.get_inputs()
        check_inputs(path, taken, shapes)
        names = [each.name for each in taken]
        outputs = [each.name for each in session.get_outputs()]
        batch = taken[0].shape[0] if isinstance(taken[0].shape[0], int) else None
    card = Card(
        model=str(description["model"]["name"]),
        checkpoint="",
        description=description,
        image_size=(height, width),
        heatmap=heatmap,
        segment=segment,
        keypoints=len(shapes) > 1,
        mean=mean,
        std=std,
        embedded=False,
        half=False,
        batch_size=batch,
        inputs=dict(zip(names, shapes, strict=True)),
        outputs=dict.fromkeys(outputs, ""),
        shapes={},
    )
    return answered(card, path, list(interface.outputs.values()))


def check_inputs(path: Path, taken: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise ``ValueError`` unless an ONNX graph's inputs can be of these shapes, in float32."""
    told = ", ".join(f"{each.name} {each.shape} {each.type}" for each in taken)
    fits = len(taken) == len(shapes)
    for each, shape in zip(taken, shapes, strict=False):
        free = len(each.shape) == 1 + len(shape) and each.type == "tensor(float)"
        fits = fits and free and same_size(each.shape[1:], shape)
    if not fits:
        wanted = ", ".join(str(("B", *shape)) for shape in shapes)
        raise ValueError(
            f"{path} takes {told}; model=, data.image_size, data.heatmap, data.segment and data.keypoints"
            f" make {wanted} in float32: set them as it was exported"
        )


def same_size(told: Sequence[Any], ours: tuple[int, ...]) -> bool:
    """Whether sizes are ours, where a graph tells them as numbers."""
    return all(not isinstance(a, int) or a == b for a, b in zip(told, ours, strict=True))


def answered(card: Card, path: Path, roles: Sequence[str]) -> Card:
    """The card with its outputs, after one trial.

    Raises:
        ValueError: other outputs than the roles'.
    """
    count = card.batch_size or 1
    runtime = open_runtime(path, card=card)
    try:
        answers = runtime([np.zeros((count, *shape), np.float32) for shape in card.inputs.values()])
    except Exception as error:  # each runtime has exceptions of its own
        raise ValueError(
            f"{path} refuses images of {card.channels} x {card.image_size[0]} x {card.image_size[1]}: set"
            f" data.image_size, data.heatmap and data.segment as it was exported ({error})"
        ) from error
    shapes = [tuple(each.shape[1:]) for each in answers]
    fits = len(shapes) == len(roles) and all(
        len(trimmed(shape)) == RANK.get(role, 1) for shape, role in zip(shapes, roles, strict=True)
    )
    if not fits:
        raise ValueError(
            f"{path} gives {', '.join(map(str, shapes))}, {card.model} would give {', '.join(roles)}:"
            " name its own model with model=, and data.attributes as it was trained"
        )
    names = (
        list(card.outputs) if len(card.outputs) == len(roles) else [f"output{k}" for k in range(len(roles))]
    )
    return replace(
        card,
        outputs=dict(zip(names, roles, strict=True)),
        shapes=dict(zip(names, shapes, strict=True)),
    )


def trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Without a one at the end: MindSpore's stripes are (d, S, 1)."""
    return shape[:-1] if len(shape) > 2 and shape[-1] == 1 else shape
