"""Which pairs of a query and a gallery image of one identity there are, and which of them count."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reid.contracts import Features, Labels

JUNK = -1  # identity of gallery images that count neither for nor against a query
UNKNOWN = -1  # a camera that is not known, and so is never the query's own


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
    check_labels(query, query_labels, gallery, gallery_labels)
    return labelled_pairs(query_labels, gallery_labels, same_camera=same_camera)


def check_labels(query: Features, query_labels: Labels, gallery: Features, gallery_labels: Labels) -> None:
    """Raise ``ValueError`` where a side has not one identity and one camera for each image."""
    for side, features, labels in (("query", query, query_labels), ("gallery", gallery, gallery_labels)):
        counts = len(features.embedding), len(labels.identity), len(labels.camera)
        if len(set(counts)) > 1:
            raise ValueError(
                f"{side} has {counts[0]} embeddings, {counts[1]} identities and {counts[2]} cameras: "
                "give one of each per image"
            )


def labelled_pairs(
    query: Labels, gallery: Labels, *, same_camera: Literal["exclude", "keep"]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """As `matching_pairs`, of what need not be images.

    Raises:
        ValueError: another ``same_camera``.
    """
    if same_camera not in ("exclude", "keep"):
        raise ValueError(f"same_camera={same_camera!r} is not one of 'exclude', 'keep'")
    pair_query, pair_row = same_identity(query.identity.cpu().numpy(), gallery.identity.cpu().numpy())
    taken_by, camera = query.camera.cpu().numpy(), gallery.camera.cpu().numpy()
    own = own_camera(taken_by[pair_query], camera[pair_row])
    return pair_query, pair_row, ~own | (same_camera == "keep")


def count_others(query: Labels, gallery: Labels, *, matching: int) -> int:
    """How many pairs are of two identities, junk being in none.

    Args:
        matching: pairs of one identity, whether they count or not.
    """
    return len(query) * int((gallery.identity != JUNK).sum()) - matching


def own_camera(query: NDArray[np.int64], gallery: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Pair by pair, whether one camera, a known one, took both images."""
    own: NDArray[np.bool_] = (query == gallery) & (gallery != UNKNOWN)
    return own


def same_identity(query: NDArray[np.int64], gallery: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """All pairs (query, gallery row) that show one identity, junk apart; ascending, query first."""
    valid = np.flatnonzero(gallery != JUNK)
    by_identity = valid[np.argsort(gallery[valid], kind="stable")]  # one run of gallery rows an identity
    begin, end = (gallery[by_identity].searchsorted(query, side) for side in ("left", "right"))
    counts = end - begin
    pair_query = np.repeat(np.arange(len(query)), counts)
    within = np.arange(len(pair_query)) - np.repeat(counts.cumsum() - counts, counts)  # 0, 1, … in each run
    return pair_query, by_identity[begin[pair_query] + within]
