"""Which pairs of a query and a gallery image of one identity there are, and which of them count."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid.contracts import Features, Labels
from reid.evaluation.ranking import own_camera, same_identity


def matching_pairs(
    query: Features,
    query_labels: Labels,
    gallery: Features,
    gallery_labels: Labels,
    *,
    same_camera: Literal["exclude", "keep"],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """(M,) query, (M,) gallery row and (M,) whether it counts, of the pairs of one identity.

    Ascending, by query first; junk is in none. Under "exclude" those that one known camera took do not count.

    Raises:
        ValueError: labels that do not fit the features, or another ``same_camera``.
    """
    for side, features, labels in (("query", query, query_labels), ("gallery", gallery, gallery_labels)):
        counts = len(features.embedding), len(labels.identity), len(labels.camera)
        if len(set(counts)) > 1:
            raise ValueError(
                f"{side} has {counts[0]} embeddings, {counts[1]} identities and {counts[2]} cameras: "
                "give one of each per image"
            )
    if same_camera not in ("exclude", "keep"):
        raise ValueError(f"same_camera={same_camera!r} is not one of 'exclude', 'keep'")
    pair_query, pair_row = same_identity(
        query_labels.identity.cpu().numpy(), gallery_labels.identity.cpu().numpy()
    )
    taken_by, camera = query_labels.camera.cpu().numpy(), gallery_labels.camera.cpu().numpy()
    own = own_camera(taken_by[pair_query], camera[pair_row])
    return pair_query, pair_row, ~own | (same_camera == "keep")
