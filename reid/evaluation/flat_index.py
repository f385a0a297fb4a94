"""The nearest gallery images by faiss's flat index, which compares all of them as `rank` does."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid.evaluation.distance import TINY, CosineDistance, EuclideanDistance

Vectors = NDArray[np.float32]  # (N, D)


def nearest_by_faiss(
    query: Vectors, gallery: Vectors, *, distance: CosineDistance | EuclideanDistance, top: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(Nq, top) gallery rows, nearest first, and (Nq, top) their distances in the units of ``distance``.

    Equal distances rank by gallery row, as far as they are among the ``top``.

    Args:
        top: at most Ng.

    Raises:
        ValueError: faiss is not installed, or features are not finite.
    """
    faiss = library()
    if not (np.isfinite(query).all() and np.isfinite(gallery).all()):
        raise ValueError(
            "features are NaN or infinite: look for a diverged loss, or for an overflow in float16"
        )
    if isinstance(distance, CosineDistance) or distance.normalize:
        query, gallery = unit(query), unit(gallery)
    by_product = isinstance(distance, CosineDistance)
    index = (faiss.IndexFlatIP if by_product else faiss.IndexFlatL2)(gallery.shape[1])
    index.add(np.ascontiguousarray(gallery))
    found, rows = index.search(np.ascontiguousarray(query), top)
    if by_product:
        found = 1 - found
    order = np.lexsort((rows, found), axis=1)
    return np.take_along_axis(rows, order, 1), np.take_along_axis(found, order, 1)


def unit(vectors: Vectors) -> Vectors:
    """The same of length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, TINY)).astype(np.float32)
    return scaled


def library() -> Any:
    """faiss.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ValueError(
            f"task.engine=faiss needs faiss ({error}): pip install 'reid-lightning[faiss]', or leave it out"
            " for task.engine=exact, which finds the same"
        ) from error
    return faiss
