"""What every source of guides has in common: the order of the planes, where they lie, which ones are seen."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid.datasets.keypoints import KEYPOINTS, MIRRORED_KEYPOINTS, MIRRORED_SEGMENTS, SEGMENTS
from reid.datasets.records import Record
from reid.loading.transforms import Pixels

SIDE = 64  # of a plane, in pixels
HEATMAPS = len(KEYPOINTS)
CORNERS = np.array(list(SEGMENTS.values()))  # (13, 4) keypoints of a segment
KINDS = {"heatmap": HEATMAPS, "segment": len(CORNERS)}  # kind -> planes of a picture

Planes = Callable[[Sequence[int]], Pixels]  # n rows of a list -> (n, channels, 64, 64), segments ungated


class Guides(Protocol):
    """Gray planes that say where the parts of a vehicle are, for the rows of a list of records.

    Planes cover the whole untransformed image, whatever its sides: heat maps 0 to 35, one a keypoint, if they
    are on, then segments 0 to 12. A segment is black unless all of its keypoints are seen.
    """

    channels: int  # 36 with heat maps + 13 with segments

    def __call__(self, rows: Sequence[int], sizes: ArrayLike) -> Pixels:
        """n rows, and (n, 2) width and height of their images in pixels, -> (n, channels, 64, 64)."""
        ...


def count_channels(*, heatmap: bool, segment: bool) -> int:
    """Raises ``ValueError`` if nothing is on."""
    if not heatmap and not segment:
        raise ValueError("data.heatmap=false and data.segment=false: guides are one of the two, or both")
    return HEATMAPS * heatmap + len(CORNERS) * segment


def kinds_of(*, heatmap: bool, segment: bool) -> list[str]:
    return [kind for kind, on in (("heatmap", heatmap), ("segment", segment)) if on]


def mirrored_channels(guides: Guides) -> NDArray[np.intp]:
    """(channels,) which plane of a vehicle stands in each place once its image is mirrored.

    ``planes[:, mirrored_channels(guides), :, ::-1]`` are the guides of the mirrored images: left keypoints
    and segments become those of the right side.
    """
    orders = {
        HEATMAPS: [*MIRRORED_KEYPOINTS],
        len(CORNERS): [*MIRRORED_SEGMENTS],
        HEATMAPS + len(CORNERS): [*MIRRORED_KEYPOINTS, *(HEATMAPS + s for s in MIRRORED_SEGMENTS)],
    }
    return np.array(orders[guides.channels], np.intp)


class Place(NamedTuple):
    """Where the guides of ``<folder>/image_<part>/<stem>.jpg`` are: beside its folder."""

    folder: Path
    part: str  # train, query or test
    stem: str

    def files(self, kind: str) -> Path:
        """The folder of a picture's heatmap or segment files."""
        return self.folder / f"{kind}_{self.part}" / self.stem

    @property
    def pack(self) -> Path:
        return self.folder / f"guides_{self.part}.h5"


def place_of(record: Record) -> Place:
    """Raises ``ValueError`` for an image outside the layout of VeRi."""
    folder = record.path.parent
    if not folder.name.startswith("image_"):
        raise ValueError(
            f"{record.path} lies in {folder.name}/: guides are found beside image_train/, image_query/ and"
            " image_test/ only, as VeRi names them. Rename the folder, or set data.guides=keypoints."
        )
    return Place(folder.parent, folder.name.removeprefix("image_"), record.path.stem)


def seen_segments(records: Sequence[Record], *, confidence: float) -> NDArray[np.bool_]:
    """(N, 13): whether all four keypoints of a segment have at least this confidence; 0 asks for none.

    From PAMTRI's MultiTaskNet (Tang et al., ICCV 2019), which takes the confidences of its label files.

    Raises ``ValueError`` for a confidence below 0, and for records without keypoints unless it is 0.
    """
    if not confidence >= 0:
        raise ValueError(f"data.segment_confidence={confidence!r}: use 0, which shows all segments, or more")
    if confidence == 0 or not records:
        return np.ones((len(records), len(CORNERS)), bool)
    points = stack_keypoints(records, remedy="or show all segments with data.segment_confidence=0")
    seen: NDArray[np.bool_] = np.all(points[:, CORNERS, 2] >= np.float32(confidence), axis=2)
    return seen


def stack_keypoints(records: Sequence[Record], *, remedy: str) -> NDArray[np.float32]:
    """(N, 36, 3). Raises ``ValueError`` where a record has none, or numbers that are none."""
    points = [record.keypoints for record in records if record.keypoints is not None]
    if missing := len(records) - len(points):
        first = next(record for record in records if record.keypoints is None)
        part = first.path.parent.name.removeprefix("image_")
        raise ValueError(
            f"{missing:,} of {len(records):,} images have no keypoints, the first is {first.path}. Put"
            f" PAMTRI's label_{part}.csv beside {first.path.parent}, {remedy}."
        )
    stacked = np.array(points, np.float32).reshape(len(records), HEATMAPS, 3)
    finite = np.isfinite(stacked).all((1, 2))
    if not finite.all():
        first = records[int(np.argmin(finite))]
        raise ValueError(f"{first.path} has keypoints that are no finite numbers: correct its labels")
    return stacked


def hide(segments: Pixels, seen: NDArray[np.bool_]) -> None:
    """Blacken, in place, what of (n, 13, 64, 64) is not ``seen``, (n, 13)."""
    if not seen.all():
        segments[~seen] = 0


def hide_unsure(planes: Pixels, records: Sequence[Record], *, confidence: float) -> None:
    """Blacken, in place, the segments of (n, channels, 64, 64) that are not seen in the n records."""
    hide(planes[:, -len(CORNERS) :], seen_segments(records, confidence=confidence))


def check_planes(planes: Pixels, shape: tuple[int, int]) -> None:
    """Raise ``ValueError`` for planes that are not (pictures, channels, 64, 64)."""
    right = (*shape, SIDE, SIDE)
    if planes.shape != right or planes.dtype != np.uint8:
        raise ValueError(f"planes are {planes.shape} {planes.dtype}: {right} uint8 are needed")


def in_batches(rows: Sequence[int], size: int = 32) -> Iterator[Sequence[int]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
