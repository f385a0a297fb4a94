"""Image-to-track retrieval: queries are compared with passes before a camera, not with single images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reid.contracts import Labels


@dataclass(frozen=True)
class Tracks:
    """How the images of a gallery make up T tracks, each of one identity before one camera.

    A query is as far from a track as from the nearest of its images: the image-to-track search of VeRi's
    authors (Liu et al., "PROVID: Progressive and Multimodal Vehicle Reidentification", 2018).
    """

    labels: Labels  # (T,) ascending by the tracks' numbers; on the CPU
    rows: NDArray[np.int64]  # (Ng,) gallery rows: all of the first track, ascending, then of the second ...
    starts: NDArray[np.int64]  # (T,) where in `rows` each track begins

    @classmethod
    def of(
        cls, numbers: Sequence[int | None], labels: Labels, *, names: Sequence[object] | None = None
    ) -> "Tracks":
        """The tracks of N gallery images, of which equal ``numbers`` make one.

        Args:
            numbers: (N,) the track that each image belongs to.
            labels: (N,) who is on each image, and which camera took it.
            names: what messages call the images; None: by their rows.

        Raises:
            ValueError: no image has a track, or some have none, or images of one track differ in identity or
                camera.
        """
        names = [f"row {row}" for row in range(len(numbers))] if names is None else names
        if len(numbers) != len(labels) or len(names) != len(labels):
            raise ValueError(
                f"{len(numbers)} track numbers and {len(names)} names for {len(labels)} gallery images: give "
                "one of each per image"
            )
        without = [row for row, number in enumerate(numbers) if number is None]
        if len(without) == len(numbers):
            raise ValueError(
                f"evaluation.protocol=image_to_track needs tracks, and none of {len(numbers):,} gallery "
                "images has one. VeRi's stand in its test_track.txt; without one use image_to_image"
            )
        if without:
            raise ValueError(
                f"evaluation.protocol=image_to_track: {len(without):,} of {len(numbers):,} gallery images "
                f"belong to no track, the first is {names[without[0]]}: name each image in one track "
                "(test_track.txt), or use image_to_image"
            )
        known = np.array(numbers, dtype=np.int64)
        rows = known.argsort(kind="stable")
        number, starts = np.unique(known[rows], return_index=True)
        first = rows[starts]  # (T,) each track's first image
        whose = first[number.searchsorted(known)]  # (N,) the first image of the track of each
        values = {"identity": labels.identity.cpu().numpy(), "camera": labels.camera.cpu().numpy()}
        for what, value in values.items():
            differ = np.flatnonzero(value != value[whose])
            if len(differ):
                one, other = int(whose[differ[0]]), int(differ[0])
                raise ValueError(
                    f"track {known[other]} shows {what} {value[one]} in {names[one]} and {what} "
                    f"{value[other]} in {names[other]}: a track is one pass of one vehicle before one camera"
                )
        own = Labels(*(torch.from_numpy(value[first]) for value in values.values()))
        return cls(own, rows, starts)

    def __len__(self) -> int:
        return len(self.starts)

    def distances(self, row: NDArray[np.float32]) -> NDArray[np.float32]:
        """(T,) how far each track is from the query whose distances to all images are (Ng,) ``row``."""
        least: NDArray[np.float32] = np.minimum.reduceat(row[self.rows], self.starts)
        return least

    def nearest_images(self, row: NDArray[np.float32], tracks: NDArray[np.int64]) -> NDArray[np.int64]:
        """(k,) rows: of each of ``tracks`` (k,) the image nearest to the query, of equals the first."""
        ends = np.append(self.starts[1:], len(self.rows))
        images = [self.rows[self.starts[t] : ends[t]] for t in tracks]
        return np.array([own[row[own].argmin()] for own in images], np.int64)
