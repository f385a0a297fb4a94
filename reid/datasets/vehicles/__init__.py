"""The embedded vehicle benchmark: cars the program draws itself, in the folders, names and labels of VeRi.

Nothing is downloaded: a seed says every pixel. See ``fleet`` for what drives, ``models`` for its shapes,
``body`` and ``details`` for how it is painted, ``scenes`` and ``cameras`` for what sees it, ``shots`` for how
one picture comes about, and ``labels`` for what is written beside the pictures.
"""

from dataclasses import asdict, dataclass
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
from reid.datasets.vehicles.cameras import CAMERAS
from reid.datasets.vehicles.fleet import meet_vehicle
from reid.datasets.vehicles.labels import write_labels
from reid.datasets.vehicles.plan import Shot, plan_shots
from reid.datasets.vehicles.shots import Picture, take_picture

__all__ = ["Sizes", "draw_vehicles"]

VERSION = 1  # of the pictures and labels: another version, another folder
TRAIN, QUERY, TEST = "image_train", "image_query", "image_test"
STAMP = "vehicles.json"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is drawn. A vehicle passes before ``passes`` of the six cameras, ``shots`` pictures each."""

    train_identities: int = 160
    test_identities: int = 40
    passes: int = 2
    shots: int = 2

    def __post_init__(self) -> None:
        check_range("train_identities", self.train_identities, low=2, high=750)  # one to check poses on
        check_range("test_identities", self.test_identities, low=1, high=750)
        check_range("passes", self.passes, low=2, high=len(CAMERAS))
        check_range("shots", self.shots, low=1, high=25)


def draw_vehicles(root: Path, *, seed: int = 0, sizes: Sizes | None = None, progress: bool = True) -> Path:
    """The folder of the benchmark below ``root``; drawn on first use, then reused.

    The folder holds ``image_train``, ``image_query`` and ``image_test`` as VeRi's does, the release's lists
    and labels, PAMTRI's ``label_{train,query,test}.csv`` and its pose annotations ``annot/``. It appears at
    once and whole: of two processes that draw at the same time one wins, and a run that is stopped leaves
    nothing by that name. Other seeds, sizes and versions have folders of their own.

    Raises:
        ValueError: a negative seed.
        FileExistsError: something else has the folder's name.
        OSError: the disk is full; the message has the folder, the space needed and the remedy.
    """
    check_range("seed", seed, low=0, high=None)
    sizes = sizes or Sizes()
    counts = asdict(sizes)
    stamp = {"version": VERSION, "seed": seed, **counts}
    folder = root / name_folder("vehicles", VERSION, seed=seed, sizes=counts, usual=sizes == Sizes())
    if not folder.exists():
        shots = list(plan_shots(**counts))
        need = 3 * FILE_BYTES * len(shots)  # a picture takes two to three blocks, its labels less than one
        with open_draft(folder, need=need) as draft:
            views = write_pictures(draft, shots, seed=seed, progress=progress)
            vehicles = {shot.identity: meet_vehicle(seed, shot.identity) for shot in shots}
            write_labels(draft, views, vehicles, seed=seed)
            write_stamp(draft / STAMP, stamp)
            publish(draft, folder)
    return check_stamp(folder / STAMP, stamp)


def write_pictures(draft: Path, shots: list[Shot], *, seed: int, progress: bool) -> dict[Shot, Picture]:
    """Take and write all pictures; those of the query lie in the test's folder as well."""
    for folder in (TRAIN, QUERY, TEST):
        (draft / folder).mkdir(parents=True)
    views = {}
    # disable=None: silent where standard error is no terminal
    for shot in tqdm(
        shots, "drawing vehicles", unit="image", leave=False, disable=None if progress else True
    ):
        views[shot] = picture = take_picture(seed, *shot)
        (draft / (TRAIN if shot.training else TEST) / shot.name).write_bytes(picture.jpeg)
        if shot.query:
            (draft / QUERY / shot.name).write_bytes(picture.jpeg)
    return views
