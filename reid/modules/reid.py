"""Re-identification's part of the training loop: features, and the distances by which they are compared."""

from typing import Any

from torch import Tensor

from reid.contracts import Batch, Distance, Features
from reid.evaluation import embedding_distances
from reid.modules.taught import TaughtModule


class ReIDModule(TaughtModule):
    """A network of images -> Features, what it is taught by, and the distances between its features."""

    def distances(self, *, normalize: bool = False) -> dict[str, Distance]:
        """The distances that can rank this module's features, by name.

        Args:
            normalize: L2-normalise features before the euclidean distance.
        """
        return embedding_distances(normalize=normalize)

    def forward(self, image: Tensor, *more: Tensor) -> Features:
        """Features of (B, C, H, W) float32 images and, for some networks, ``more`` about them."""
        features: Features = super().forward(image, *more)
        return features

    def validation_step(self, batch: Batch, batch_idx: int) -> Features:  # type: ignore[override]
        features: Features = self(*self.inputs(batch))
        return features

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        checkpoint["reid"] |= {
            "identities": list(data.identities),  # in the order of the logits
            "attributes": {name: list(values) for name, values in data.benchmark.attributes.items()},
        }
