"""The distances of evaluations by their names."""

from typing import TypeGuard

from reid.contracts import Distance
from reid.evaluation.distance import CosineDistance, EuclideanDistance
from reid.evaluation.local import GlobalLocalDistance, LocalDistance


def embedding_distances(*, normalize: bool = False) -> dict[str, Distance]:
    """Those of every network.

    Args:
        normalize: L2-normalise features before the euclidean distance.
    """
    return {"euclidean": EuclideanDistance(normalize=normalize), "cosine": CosineDistance()}


def stripe_distances() -> dict[str, Distance]:
    """Those of AlignedReID++ and its paper's tables, whose embeddings are always normalised.

    'local' aligns stripes (DMLI), 'unaligned' does not; 'global_local' is the one the paper ranks by, and
    'global_unaligned' the same without alignment. 'global' is what they say of embeddings alone.
    """
    return {
        "global": EuclideanDistance(normalize=True),
        "local": LocalDistance(),
        "unaligned": LocalDistance(unaligned=True),
        "global_local": GlobalLocalDistance(),
        "global_unaligned": GlobalLocalDistance(unaligned=True),
    }


def is_of_embeddings(distance: Distance) -> TypeGuard[EuclideanDistance | CosineDistance]:
    """Whether a distance looks at embeddings alone."""
    return isinstance(distance, EuclideanDistance | CosineDistance)
