"""The nearest neighbours of every image among all, each pair of them compared once."""

from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reid.contracts import Distance, Features
from reid.evaluation.blocks import rows
from reid.evaluation.progress import Progress
from reid.evaluation.threads import over_threads

FOLD = 32  # distances of which the least stands for all in the first look for neighbours
SIDE = 1024  # images on the side of a tile: products are fast, and 4 MB stay in a cache
PAIR = 64  # bytes that a pair of images in a tile takes at most, when all of them are equally near

Keys = NDArray[np.int64]  # a distance and an image: they sort by the distance, then by the image


def nearest_neighbours(
    images: Features, distance: Distance, k: int, *, memory: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(N, k) the nearest images of each, itself among them, nearest first; (N,) its largest distance.

    Images are compared in square tiles, and a tile serves its rows and its columns, as ``distance`` is
    symmetric. What is not nearer than the k nearest so far is left out on the features' device; the rest is
    merged on the CPU. Equal distances rank by row.

    Args:
        memory: bytes for the tiles, `PAIR` for each pair in one; on the CPU each thread has its own.

    Raises:
        ValueError: distances that are not finite.
    """
    total, device = len(images.embedding), images.embedding.device
    at_once = torch.get_num_threads() if device.type == "cpu" else 1
    side = max(1, min(SIDE, int((memory / at_once / PAIR) ** 0.5)))
    parts = [slice(start, min(start + side, total)) for start in range(0, total, side)]
    pairs = [(one, other) for place, one in enumerate(parts) for other in parts[place:]]
    search = _Search(total, min(k, total), device)
    with Progress(f"comparing {total:,} images with one another", len(pairs)) as progress:

        def compare(places: range) -> None:
            for upper, lower in (pairs[place] for place in places):
                table = distance(rows(images, upper), rows(images, lower)).float()
                if not table.sum().isfinite() and not table.isfinite().all():
                    raise ValueError(
                        f"{distance} is NaN or infinite between some of {total} images: look for a diverged "
                        "loss, or for features in float16 that overflowed"
                    )
                search.add(table, upper, lower)
                if lower != upper:
                    search.add(table.T, lower, upper)
                progress.advance(1)
                del table

        over_threads(compare, range(len(pairs)), device=device)
    return search.images, search.farthest.cpu().numpy()


class _Search:
    """The k nearest of each of ``total`` images among those that it was compared with so far.

    Threads may add at once: a bound that another has since lowered leaves in too much, never too little.
    """

    def __init__(self, total: int, k: int, device: torch.device) -> None:
        self.k = k
        self.lock = Lock()
        self.farthest = torch.full((total,), -torch.inf, device=device)
        self._keys: Keys = np.full((total, k), np.iinfo(np.int64).max)
        self._bound = torch.full((total,), torch.inf, device=device)  # farther ones are not among the k

    @property
    def images(self) -> NDArray[np.int64]:
        return self._keys & 0xFFFFFFFF

    def add(self, table: Tensor, here: slice, others: slice) -> None:
        """Take the distances (b, c) of the images ``here`` to ``others``."""
        farthest, bound = table.amax(1), self._bound[here].clone()
        if bound.isinf().any() and table.shape[1] >= self.k:
            bound = torch.minimum(bound, _least(table, self.k))
        near = table <= bound[:, None]
        # In the order of memory, which for the columns of a tile is not that of its rows.
        row, column = near.nonzero().unbind(1) if near.is_contiguous() else near.T.nonzero().flip(1).unbind(1)
        keys = _keys(table[row, column].cpu().numpy(), column.cpu().numpy() + others.start)
        with self.lock:
            self.farthest[here] = torch.maximum(self.farthest[here], farthest)
            self._merge(row.cpu().numpy(), keys, here)

    def _merge(self, row: NDArray[np.int64], keys: Keys, here: slice) -> None:
        if not len(row):
            return
        order = np.argsort(row, kind="stable")
        counts = np.bincount(row)
        touched, counts = np.flatnonzero(counts), counts[counts > 0]
        place = np.arange(len(row)) - np.repeat(counts.cumsum() - counts, counts)
        wide = np.full((len(touched), self.k + counts.max()), np.iinfo(np.int64).max)
        wide[:, : self.k] = self._keys[here][touched]
        wide[np.repeat(np.arange(len(touched)), counts), self.k + place] = keys[order]
        wide.sort(axis=1)
        self._keys[here][touched] = wide[:, : self.k]
        full = wide[:, self.k - 1] < np.iinfo(np.int64).max
        bound = torch.from_numpy(_values(wide[full, self.k - 1])).to(self._bound.device)
        self._bound[here][torch.from_numpy(touched[full]).to(self._bound.device)] = bound


def _least(table: Tensor, k: int) -> Tensor:
    """(b,) a distance that k or more of each row of (b, c) do not exceed, near to the k-th least."""
    groups = max(k, table.shape[1] // FOLD)
    # Every groups-th column, as those next to one another often show one identity.
    parts = [table[:, start : start + groups] for start in range(0, table.shape[1] - groups + 1, groups)]
    folded = torch.stack(parts).amin(0)
    least: Tensor = folded.topk(k, largest=False).values.amax(1)
    return least


def _keys(distances: NDArray[np.float32], images: NDArray[np.int64]) -> Keys:
    bits = (distances + np.float32(0)).view(np.int32)  # adding 0 makes -0 equal to it
    keys: Keys = ((bits ^ (bits >> 31 & 0x7FFFFFFF)).astype(np.int64) << 32) | images
    return keys


def _values(keys: Keys) -> NDArray[np.float32]:
    """The distances of `_keys`."""
    bits = (keys >> 32).astype(np.int32)
    return (bits ^ (bits >> 31 & 0x7FFFFFFF)).view(np.float32)
