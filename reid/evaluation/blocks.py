"""Distances of a query to a gallery, as many rows at a time as memory allows."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.contracts import Distance, Features

APART = 32 * 2**20  # bytes; glibc's largest threshold for memory that is mapped
SMALL = 2**20  # distances that may as well stay on the heap


def rows(features: Features, which: slice) -> Features:
    """The features of some of the images, as views."""
    return Features(
        embedding=features.embedding[which],
        pooled=features.pooled[which],
        logits=None if features.logits is None else features.logits[which],
        stripes=None if features.stripes is None else features.stripes[which],
        attributes={name: scores[which] for name, scores in features.attributes.items()},
    )


def distance_blocks(
    query: Features, gallery: Features, *, distance: Distance, block: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """The first of some queries, and their distances (b, Ng), all finite, to the whole gallery.

    The array may be written on, and is used again for the next queries.

    Raises:
        ValueError: distances of another shape, or that are not finite.
    """
    buffer = np.empty((min(block, len(query.embedding)), len(gallery.embedding)), np.float32)
    for start, table in tables(query, gallery, distance=distance, block=block):
        here = buffer[: len(table)]
        here[:] = table  # what distance returns is not written on
        del table
        yield start, here


def tables(
    query: Features, gallery: Features, *, distance: Distance, block: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """As `distance_blocks`, but not to be written on: it may be what ``distance`` keeps."""
    queries = len(query.embedding)
    blocks = -(-queries // block)  # of even sizes: BLAS adds up products of a few rows in another order
    for number in range(blocks):
        start, end = (k * queries // blocks for k in (number, number + 1))
        table = _compared(distance, rows(query, slice(start, end)), gallery)
        yield start, table.numpy()
        del table


def affordable(memory: int, kept: int, *, images: int, queries: int) -> int:
    """How many queries at a time have their distances to ``images`` in ``memory`` bytes, beside ``kept``.

    Raises:
        ValueError: not one has.
    """
    row = 4 * max(1, images)
    if memory < kept + row:
        raise ValueError(
            f"memory={memory:,} bytes is too little for {queries:,} queries and {images:,} gallery images: "
            f"give {kept + row:,} or more"
        )
    return min((memory - kept) // row, max(1, queries))


def empty_table(queries: int, images: int, *, device: torch.device) -> Tensor:
    """(Nq, Ng) float32 to write on, whose memory goes back to the system with it.

    glibc keeps what is smaller than `APART` on its heap, where the pieces left between one block of distances
    and the next add up to several blocks. What is larger it maps, and pages not written take no memory.
    """
    size = queries * images
    room = max(size, APART // 4 + 1) if device.type == "cpu" and size > SMALL else size
    return torch.empty(room, device=device)[:size].view(queries, images)


def _compared(distance: Distance, query: Features, gallery: Features) -> Tensor:
    """(b, Ng) float32 on the CPU, all finite."""
    table = distance(query, gallery)
    shape = len(query.embedding), len(gallery.embedding)
    if table.shape != shape:
        raise ValueError(
            f"{distance} returned distances of shape {tuple(table.shape)} for {shape[0]} queries and "
            f"{shape[1]} gallery images: it must be {shape}"
        )
    table = table.to("cpu", torch.float32)
    if table.sum().isfinite():  # one pass; what follows takes three, and decides
        return table
    if bad := _not_finite(table):
        raise ValueError(
            f"{distance} is NaN or infinite for {bad} of {len(table)} queries of a block, where "
            f"embeddings of {_not_finite(query.embedding)} queries and "
            f"{_not_finite(gallery.embedding)} gallery images are "
            "not finite: look for a diverged loss, or for features in float16 that overflowed"
        )
    return table


def _not_finite(table: Tensor) -> int:
    """How many rows of (N, D) hold a NaN or an infinity."""
    return int((~table.isfinite()).any(1).sum())
