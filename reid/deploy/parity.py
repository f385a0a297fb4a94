"""Does a file answer what the network does?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from reid.deploy.answers import Answers
from reid.deploy.card import Card, normalized
from reid.deploy.files import answers_of, example_of
from reid.deploy.runtimes import Runtime

BATCHES = (1, 3, 16)  # tried with files that take any number of images
TOLERANCE = {False: 1e-4, True: 2e-2}  # half -> largest difference, relative to the output's largest value


@dataclass(frozen=True)
class Agreement:
    """How near one output of a file is to the network's."""

    batch: int
    output: str
    max_abs_difference: float
    relative: float  # the same, divided by the output's largest value
    cosine: float  # of the least similar image


def compare(runtime: Runtime, network: nn.Module, *, batches: Sequence[int] = BATCHES) -> list[Agreement]:
    """The file's outputs beside those of the network in float32, for random images.

    Args:
        runtime: of the file; one for a fixed batch is tried with that.
        network: as it was exported.
    """
    card = runtime.card
    reference = answers_of(network, plain(card))
    found: list[Agreement] = []
    for count in [card.batch_size] if card.batch_size else batches:
        given = example_of(card, count)
        outputs = runtime([each.numpy() for each in given])
        image = given[0]
        if card.embedded:
            image = normalized(image.permute(0, 3, 1, 2).float(), card.mean, card.std)
        wanted = expected(reference, [image, *given[1:]])
        for name, ours, theirs in zip(card.outputs, outputs, wanted, strict=True):
            found.append(agreement(ours, theirs, batch=count, output=name))
    return found


def plain(card: Card) -> Card:
    """The card of a file that neither normalises nor rounds."""
    height, width = card.image_size
    images, *rest = card.inputs.items()
    return replace(
        card, embedded=False, half=False, inputs={images[0]: (card.channels, height, width), **dict(rest)}
    )


@torch.inference_mode()
def expected(reference: Answers, given: Sequence[torch.Tensor]) -> list[NDArray[np.float32]]:
    return [each.numpy() for each in reference(*given)]


def agreement(ours: NDArray[Any], theirs: NDArray[Any], *, batch: int, output: str) -> Agreement:
    """Compare (B, ...) arrays.

    Raises:
        ValueError: shapes differ.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"{output} of {batch} images is {ours.shape} in the file, {theirs.shape} in PyTorch")
    a, b = (each.reshape(len(each), -1).astype(np.float64) for each in (ours, theirs))
    difference = float(np.abs(a - b).max())
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = float(((a * b).sum(1) / np.maximum(lengths, 1e-30)).min()) if lengths.any() else 1.0
    return Agreement(batch, output, difference, difference / max(float(np.abs(b).max()), 1e-6), cosine)


def check(found: Sequence[Agreement], *, tolerance: float, file: str) -> list[dict[str, Any]]:
    """The comparison as plain values for export.json.

    Raises:
        ValueError: an output beyond the tolerance, or not a number.
    """
    for each in found:
        if not each.relative <= tolerance:  # NaN too
            raise ValueError(
                f"{file} disagrees with PyTorch at batch {each.batch}: {each.output} differs by"
                f" {each.max_abs_difference:.3g} ({each.relative:.2g} of its largest value, allowed is"
                f" task.tolerance={tolerance:g}; cosine {each.cosine:.6f}). Try task.simplify=false,"
                " task.half=false or another task.opset, and do not use the file"
            )
    return [asdict(each) for each in found]
