"""What a network says about pictures, batch by batch -> one row a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.contracts import Features
from reid.deploy import Card

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Described:
    """What a network says about N pictures; row i is about ``names[i]``."""

    names: list[str]  # paths, or "picture 0" ... of pictures without one
    embedding: Floats  # (N, D)
    stripes: Floats | None  # (N, d, S) local features, of AlignedReID++
    scores: dict[str, Floats]  # attribute -> (N, A), of MultiTaskNet
    values: dict[str, list[str]]  # attribute -> the names of its A values

    def attribute(self, name: str) -> list[str]:
        """Of each picture, the value of an attribute that scores highest."""
        return [self.values[name][best] for best in self.scores[name].argmax(1)]


def described(card: Card, names: list[str], found: Sequence[Features]) -> Described:
    """All batches as arrays, of the right width where there is none."""
    by_role = {role: card.shapes[name] for name, role in card.outputs.items()}

    def joined(role: str, parts: Sequence[Tensor | None]) -> Floats:
        if not parts:
            shape = by_role[role]
            return np.zeros((0, *(shape[:2] if role == "stripes" else shape)), np.float32)
        return torch.cat([part for part in parts if part is not None]).numpy()

    attributes = [role.removeprefix("attributes.") for role in by_role if role.startswith("attributes.")]
    return Described(
        names=names,
        embedding=joined("embedding", [each.embedding for each in found]),
        stripes=joined("stripes", [each.stripes for each in found]) if "stripes" in by_role else None,
        scores={
            name: joined(f"attributes.{name}", [each.attributes[name] for each in found])
            for name in attributes
        },
        values={name: list(card.attributes.get(name, [])) for name in attributes},
    )
