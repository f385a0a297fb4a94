"""MultiTaskNet: the shared loop, with attributes to be told and keypoints to be seen."""

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

from reid.contracts import Batch, Loss
from reid.modules.reid import ReIDModule
from reid.networks import MultiTaskNet


class MultiTaskModule(ReIDModule):
    """Vehicles (Tang et al., "PAMTRI", ICCV 2019), taught by identity, triplets and attributes.

    Args:
        attributes: False leaves out the loss ``attributes``, as does a network that scores none.
        settings: the others are those of `TaughtModule`.
    """

    network: MultiTaskNet

    def __init__(
        self,
        network: MultiTaskNet,
        losses: Mapping[str, Loss],
        *,
        loss_weights: Mapping[str, float],
        attributes: bool = True,
        **settings: Any,
    ) -> None:
        if not attributes or not network.attributes:
            loss_weights = {name: value for name, value in loss_weights.items() if name != "attributes"}
        super().__init__(network, losses, loss_weights=loss_weights, **settings)

    def taught_by(self) -> dict[str, Collection[str]]:
        layers: dict[str, Collection[str]] = {"classifier_vid": {"identity"}}
        if self.network.attributes:  # whose loss reaches all but the layer of the embedding
            layers["fc_vid"] = self.losses.keys() - {"attributes"}
        for name in self.network.attributes:
            layers |= {f"fc_v{name}": {"attributes"}, f"classifier_v{name}": {"attributes"}}
        return layers

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        if self.network.keypoints and "keypoints" in batch:  # without them the network says what to do
            return batch["image"], batch["keypoints"]
        return (batch["image"],)
