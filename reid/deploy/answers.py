"""A network as file formats want it: named arrays in, named arrays out, under the published tools' names."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reid.contracts import Features
from reid.deploy.card import normalized
from reid.networks import AlignedReID, MultiTaskNet, PoseEstNet
from reid.networks.multitask import KEYPOINTS


@dataclass(frozen=True)
class Interface:
    """The names that a network goes by outside."""

    inputs: tuple[str, ...]  # the images first
    outputs: Mapping[str, str]  # name -> what it is, as in `Card.outputs`


def interface_of(network: nn.Module) -> Interface:
    """Published names: OSNet's ``image`` -> ``feature``, PAMTRI's ``input`` -> ``output1..4``.

    MultiTaskNet answers, as PAMTRI's export does, identity, colour, type, feature; without attributes
    identity and feature. Of PoseEstNet no file was published.
    """
    if isinstance(network, MultiTaskNet):
        roles = ["logits", *(f"attributes.{name}" for name in sorted(network.attributes)), "embedding"]
        outputs = {f"output{number}": role for number, role in enumerate(roles, 1)}
        return Interface(("input", "keypoints") if network.keypoints else ("input",), outputs)
    if isinstance(network, AlignedReID):
        return Interface(("image",), {"global_feature": "embedding", "local_feature": "stripes"})
    if isinstance(network, PoseEstNet):
        return Interface(("image",), {"heatmaps": "heatmaps"})
    return Interface(("image",), {"feature": "embedding"})


class Answers(nn.Module):
    """A network's answers as a tuple.

    Args:
        network: in evaluation mode; float16 if ``half``.
        mean, std: of each plane, for ``embedded``.
        embedded: takes (B, H, W, C) uint8 and normalises.
        half: the network computes in float16; what goes in and out stays float32.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: tuple[float, ...] = (),
        std: tuple[float, ...] = (),
        embedded: bool = False,
        half: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.roles = tuple(interface_of(network).outputs.values())
        self.mean, self.std = mean, std
        self.embedded = embedded
        self.half_inside = half

    def forward(self, image: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
        """Images, and (B, 108) keypoints for networks that see them."""
        if self.embedded:
            image = normalized(image.permute(0, 3, 1, 2).float(), self.mean, self.std)
        points = tuple(each.reshape(-1, KEYPOINTS // 3, 3) for each in more)  # x0, y0, c0, x1 ...
        if self.half_inside:
            image, points = image.half(), tuple(each.half() for each in points)
        said: Features | Tensor = self.network(image, *points)
        if isinstance(said, Tensor):  # heat maps
            return (said.float(),)
        return tuple(self.role(name, said).float() for name in self.roles)

    def role(self, name: str, features: Features) -> Tensor:
        """The part of the features that an output is."""
        if name == "logits":
            # In evaluation networks leave them out; the classifier sees what PAMTRI's does.
            logits: Tensor = self.network.classifier_vid(features.embedding)  # type: ignore[operator]
            return logits
        if name == "stripes":
            assert features.stripes is not None
            return features.stripes
        if name == "embedding":
            return features.embedding
        return features.attributes[name.removeprefix("attributes.")]


def features_from(arrays: Mapping[str, Tensor], roles: Mapping[str, str]) -> Features:
    """Outputs by name -> what evaluation reads; the reverse of `Answers`."""
    by_role = {roles[name]: value for name, value in arrays.items()}
    embedding, stripes = by_role["embedding"], by_role.get("stripes")
    return Features(
        embedding=embedding,
        pooled=embedding,
        logits=by_role.get("logits"),
        stripes=None if stripes is None else stripes.flatten(2),  # MindSpore's are (B, d, S, 1)
        attributes={
            role.removeprefix("attributes."): value
            for role, value in by_role.items()
            if role.startswith("attributes.")
        },
    )


def example(card_inputs: Mapping[str, tuple[int, ...]], count: int, *, embedded: bool) -> list[Tensor]:
    """Random inputs as they come in reality: images of full range, places less a half; the same each time."""
    numbers = torch.Generator().manual_seed(count)
    shapes = list(card_inputs.values())
    image = torch.randint(0, 256, (count, *shapes[0]), generator=numbers, dtype=torch.uint8)
    if not embedded:
        image = (image.float() - 117) / 58
    return [image, *(torch.rand((count, *shape), generator=numbers) - 0.5 for shape in shapes[1:])]
