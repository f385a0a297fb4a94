"""The embedded benchmark: pedestrians the program draws itself, in the folders and names of Market-1501.

Nothing is downloaded: a seed says every pixel. See ``people`` for who walks, ``draw`` for how they are drawn,
``streets`` and ``cameras`` for what sees them, and ``boxes`` for what is cut out.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import combinations
from pathlib import Path

from tqdm import tqdm

from reid.datasets.drawn import (
    FILE_BYTES,
    check_range,
    check_stamp,
    name_folder,
    open_draft,
    publish,
    write_stamp,
)
from reid.datasets.pedestrians.boxes import box_distractor, box_junk, box_person
from reid.datasets.pedestrians.cameras import CAMERAS

__all__ = ["Sizes", "draw_pedestrians"]

VERSION = 1  # of the pictures: another version, another folder
TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
STAMP = "pedestrians.json"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is drawn. An identity passes before ``passes`` of the six cameras, ``shots`` pictures each."""

    train_identities: int = 160
    test_identities: int = 100
    passes: int = 4
    shots: int = 3
    distractors: int = 150
    junk: int = 100

    def __post_init__(self) -> None:
        limits = {
            "train_identities": (1, 750),
            "test_identities": (1, 750),
            "passes": (2, len(CAMERAS)),
            "shots": (2, 25),
        }
        for field in fields(self):
            low, high = limits.get(field.name, (0, 10_000))
            check_range(field.name, getattr(self, field.name), low=low, high=high)


Box = tuple[str, Callable[[], bytes]]  # file below the benchmark's folder, and what draws it


def draw_pedestrians(root: Path, *, seed: int = 0, sizes: Sizes | None = None, progress: bool = True) -> Path:
    """The folder of the benchmark below ``root``; drawn on first use, then reused.

    The folder holds ``bounding_box_train``, ``query`` and ``bounding_box_test`` as Market-1501's does. It
    appears at once and whole: of two processes that draw at the same time one wins, and a run that is stopped
    leaves nothing by that name. Other seeds, sizes and versions have folders of their own.

    Raises:
        ValueError: a negative seed.
        FileExistsError: something else has the folder's name.
        OSError: the disk is full; the message has the folder, the space needed and the remedy.
    """
    check_range("seed", seed, low=0, high=None)
    sizes = sizes or Sizes()
    counts = asdict(sizes)
    stamp = {"version": VERSION, "seed": seed, **counts}
    folder = root / name_folder("pedestrians", VERSION, seed=seed, sizes=counts, usual=sizes == Sizes())
    if not folder.exists():
        boxes = list(plan_boxes(seed, sizes))
        with open_draft(folder, need=len(boxes) * FILE_BYTES) as draft:
            write_boxes(draft, boxes, progress=progress)
            write_stamp(draft / STAMP, stamp)
            publish(draft, folder)
    return check_stamp(folder / STAMP, stamp)


def plan_boxes(seed: int, sizes: Sizes) -> Iterator[Box]:
    """Every picture of the benchmark; training identities are even, those of the test odd."""
    routes = list(combinations(range(len(CAMERAS)), sizes.passes))
    for count, first in ((sizes.train_identities, 2), (sizes.test_identities, 1)):
        for order, identity in enumerate(range(first, first + 2 * count, 2)):
            for camera in routes[order % len(routes)]:
                for shot in range(sizes.shots):
                    folder = TRAIN if first == 2 else GALLERY if shot else QUERY
                    yield (
                        file_name(folder, identity, camera, shot),
                        partial(box_person, seed, identity, camera, shot),
                    )
    for index in range(sizes.distractors):
        camera, shot = index % len(CAMERAS), index // len(CAMERAS)
        yield file_name(GALLERY, 0, camera, shot), partial(box_distractor, seed, camera, shot)
    for index in range(sizes.junk):
        camera, shot = index % len(CAMERAS), index // len(CAMERAS)
        identity = 1 + 2 * (index % sizes.test_identities)
        yield file_name(GALLERY, -1, camera, shot), partial(box_junk, seed, identity, camera, shot)


def file_name(folder: str, identity: int, camera: int, shot: int) -> str:
    """As Market-1501's: identity, camera, sequence, frame (25 a second), box."""
    return f"{folder}/{identity:0{4 if identity >= 0 else 2}d}_c{camera + 1}s1_{1 + 25 * shot:06d}_01.jpg"


def write_boxes(draft: Path, boxes: list[Box], *, progress: bool) -> None:
    for folder in (TRAIN, QUERY, GALLERY):
        (draft / folder).mkdir(parents=True)
    # disable=None: silent where standard error is no terminal
    for file, draw in tqdm(
        boxes, "drawing pedestrians", unit="image", leave=False, disable=None if progress else True
    ):
        (draft / file).write_bytes(draw())
