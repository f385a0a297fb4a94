"""VeRi in miniature: the real folders, names and files, a few pixels an image."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

Row = tuple[str, int, int, int]  # name, vehicle, colour, type

TRAIN: list[Row] = [
    ("0001_c001_00016450_0.jpg", 1, 1, 4),  # the first row of PAMTRI's README
    ("0001_c002_00016470_0.jpg", 1, 1, 4),
    ("0003_c001_00016400_0.jpg", 3, 10, 2),
    ("0003_c019_00016401_1.jpg", 3, 10, 2),
]
QUERY: list[Row] = [("0002_c002_00030600_0.jpg", 2, 5, 1), ("0005_c003_00030610_0.jpg", 5, 7, 9)]
TEST: list[Row] = [
    *QUERY,
    ("0002_c002_00030605_1.jpg", 2, 5, 1),
    ("0002_c004_00030700_0.jpg", 2, 5, 1),
    ("0005_c007_00030800_0.jpg", 5, 7, 9),
]


def keypoints(name: str) -> np.ndarray:
    """(36, 3), a different one for each name, some outside the picture and some surer than 1."""
    rng = np.random.default_rng(list(name.encode()))
    return np.concatenate([rng.uniform(-32, 80, (36, 2)), rng.uniform(0, 1.123, (36, 1))], 1).round(3)


def write_images(folder: Path, rows: Sequence[Row]) -> None:
    folder.mkdir(parents=True)
    for name, *_ in rows:  # a picture of its own for each name
        rng = np.random.default_rng(list(name.encode()))
        image = cv2.resize(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8), (36, 24))
        cv2.imwrite(str(folder / name), image)


def write_xml(path: Path, rows: Sequence[Row]) -> None:
    items = "".join(
        f'<Item imageName="{name}" vehicleID="{vehicle:04d}" cameraID="{name[5:9]}" colorID="{color}"'
        f' typeID="{kind}" />\n'
        for name, vehicle, color, kind in rows
    )
    text = (
        '<?xml version="1.0" encoding="gb2312" ?>\n<TrainingImages Version="1.0">\n<!-- 车辆 -->\n'
        f'<Items number="{len(rows)}">\n{items}</Items></TrainingImages>\n'
    )
    path.write_bytes(text.encode("gb2312"))


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    lines = [
        ",".join([name, str(vehicle), str(color), str(kind), *(f"{v:.3f}" for v in keypoints(name).ravel())])
        for name, vehicle, color, kind in rows
    ]
    path.write_text("\n".join(lines) + "\n")


def write_veri(folder: Path, *, xml: bool = True, csv: bool = True) -> Path:
    """The benchmark in the release's form, PAMTRI's, or both."""
    for part, rows in (("train", TRAIN), ("query", QUERY), ("test", TEST)):
        write_images(folder / f"image_{part}", rows)
        if csv:
            write_csv(folder / f"label_{part}.csv", rows)
        if xml:
            (folder / f"name_{part}.txt").write_text("".join(f"{name}\r\n" for name, *_ in rows))
    if xml:
        write_xml(folder / "train_label.xml", TRAIN)
        write_xml(folder / "test_label.xml", TEST)
        tracks = [("0002_c002", TEST[0], TEST[2]), ("0005_c003", TEST[1])]
        tracks += [("0002_c004", TEST[3]), ("0005_c007", TEST[4])]
        (folder / "test_track.txt").write_text(
            "".join(f"{name} {' '.join(row[0] for row in own)} \n" for name, *own in tracks)
        )
    return folder
