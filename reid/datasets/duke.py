"""DukeMTMC-reID (Zheng et al., ICCV 2017): Market-1501's folders and file names, with eight cameras."""

from pathlib import Path

from reid.datasets.market1501 import FOLDERS, find_folder, read_folder
from reid.datasets.records import Benchmark

NAME = "duke"
OUTER = ("dukemtmc-reid", "dukemtmcreid", "duke")
INNER = ("DukeMTMC-reID", "DukeMTMC-reid")  # the release's spelling, and one that READMEs copy
LAYOUTS = (*(f"{outer}/{inner}" for outer in OUTER for inner in INNER), *INNER, *OUTER, ".")


def read_duke(root: Path) -> Benchmark:
    """The benchmark below ``root``: its gallery holds people whom no query shows, cameras count from 0.

    Args:
        root: holds ``dukemtmc-reid/DukeMTMC-reID/`` in any of the spellings in use, either of the two, or
            itself the three folders of images.

    Raises:
        FileNotFoundError: no such folder, one of the three is missing, or one has no image.
        ValueError: a file name that does not fit.
    """
    folder = find_folder(root, name=NAME, layouts=LAYOUTS)
    identities, cameras = range(1, 10_000), range(1, 9)  # 0001_c2_f0046182.jpg: four digits, one
    lists = [read_folder(folder / part, identities=identities, cameras=cameras) for part in FOLDERS]
    return Benchmark(NAME, *lists)
