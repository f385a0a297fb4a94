"""Guides that are made once and kept in memory: for those that take a network to make."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from reid.loading.guides.source import SIDE, Planes, check_planes, in_batches
from reid.loading.transforms import Pixels

LEVEL = 1  # of zlib: planes are almost empty, more effort saves little
PAGE = 1024  # pictures an array: forked workers share arrays, and would copy single objects by counting them


class HeldGuides:
    """Planes of all rows, deflated.

    Args:
        count: rows.
        planes: of rows, with segments gated; asked once for each.
        channels: planes of a row.

    Raises:
        ValueError: planes of another shape.
    """

    def __init__(self, count: int, planes: Planes, *, channels: int) -> None:
        self.channels = channels
        self.pages: list[NDArray[np.uint8]] = []
        self.ends: list[NDArray[np.int64]] = []  # of a page's rows in it, behind a 0
        with tqdm(total=count, desc="finding guides", disable=None, leave=False) as bar:
            for start in range(0, count, PAGE):
                packed: list[bytes] = []
                for rows in in_batches(range(start, min(start + PAGE, count))):
                    batch = planes(rows)
                    check_planes(batch, (len(rows), channels))
                    packed += [zlib.compress(picture.tobytes(), LEVEL) for picture in batch]
                    bar.update(len(rows))
                self.pages.append(np.frombuffer(b"".join(packed), np.uint8))
                self.ends.append(np.cumsum([0, *map(len, packed)]))

    @property
    def nbytes(self) -> int:
        """Of memory that is held."""
        return sum(page.nbytes for page in self.pages)

    def __call__(self, rows: Sequence[int], sizes: ArrayLike) -> Pixels:
        """Rows -> (n, channels, 64, 64); the sizes of the images do not matter."""
        planes = np.empty((len(rows), self.channels, SIDE, SIDE), np.uint8)
        for picture, row in zip(planes, rows, strict=True):
            page, place = divmod(row, PAGE)
            start, end = self.ends[page][place : place + 2]
            whole = zlib.decompress(self.pages[page][start:end].data, bufsize=picture.nbytes)
            picture[:] = np.frombuffer(whole, np.uint8).reshape(picture.shape)
        return planes
