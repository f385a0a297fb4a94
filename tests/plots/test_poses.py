"""Keypoints over pictures, twice; pixels are sampled from what was written."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from reid.plots import PosedImage, plot_poses, plot_training
from reid.plots.poses import EDGES
from reid.plots.style import AMBER, BLUE, ROSE

SIZE = 60  # of the picture; its cell is four times as large
CELL, FRAME, GAP, LEFT, TOP = 240, 4, 10, 24 + 150, 24 + 30 + 44  # pixels of the sheet


def points(*placed: tuple[int, float, float, float]) -> NDArray[np.float64]:
    """Keypoints k at x, y with a confidence; all others are far away and not seen."""
    keypoints = np.full((36, 3), (-1000.0, -1000.0, 0.0))
    for k, *place in placed:
        keypoints[k] = place
    return keypoints


def cells(tmp_path: Path, *samples: PosedImage) -> list[list[NDArray[np.uint8]]]:
    """Row -> column -> (240, 240, 3) RGB."""
    image = cv2.imread(str(plot_poses(samples, tmp_path / "new" / "poses.png", title="poses")))[..., ::-1]
    return [
        [
            image[y : y + CELL, x : x + CELL]
            for x in (LEFT + FRAME + column * (CELL + 2 * FRAME + GAP) for column in range(3))
        ]
        for y in (TOP + FRAME + row * (CELL + 2 * FRAME + GAP) for row in range(len(samples)))
    ]


def has(cell: NDArray[np.uint8], x: float, y: float, colour: str, *, near: int = 2) -> bool:
    """Whether a colour lies within some pixels of a place of the picture."""
    column, line = round(4 * x), round(4 * y)
    patch = cell[line - near : line + near + 1, column - near : column + near + 1].reshape(-1, 3)
    return bool((abs(patch - 255 * np.array(to_rgb(colour))).max(1) < 25).any())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.full((SIZE, SIZE, 3), (30, 200, 30), np.uint8))
    return path


def test_marks_edges_and_errors(tmp_path: Path, picture: Path) -> None:
    true = points((16, 10, 10, 1), (17, 10, 50, 1), (34, 50, 10, 1), (35, 50, 50, 0))
    found = points((16, 10, 10, 0.9), (17, 30, 50, 0.9), (34, 50, 10, 0.9), (35, 50, 50, 0.9))
    ((image, marked, seen),) = cells(tmp_path, PosedImage(picture, true, found, title="worst\none"))
    assert image[120, 120].tolist() == [30, 200, 30]
    assert has(marked, 10, 10, BLUE)
    assert has(marked, 50, 10, AMBER)
    assert has(marked, 10, 30, BLUE)  # the edge from 16 to 17
    assert not has(marked, 50, 30, AMBER)  # 35 is hidden
    assert has(seen, 50, 30, AMBER)
    assert has(seen, 20, 50, ROSE, near=1)  # 17 was found too far to the right
    assert not has(marked, 20, 50, ROSE)


def test_edges_are_those_of_the_faces() -> None:
    assert (16, 17) in EDGES
    assert (16, 34) in EDGES
    assert all(a < b for a, b in EDGES)
    assert {(a + 18, b + 18) for a, b in EDGES if b < 18} == {(a, b) for a, b in EDGES if a >= 18}


def test_several_rows_and_a_picture_that_is_gone(tmp_path: Path, picture: Path) -> None:
    sample = PosedImage(picture, points(), points((1, 30, 30, 1)))
    gone = PosedImage(tmp_path / "gone.png", points(), points())
    rows = cells(tmp_path, sample, gone)
    assert has(rows[0][2], 30, 30, BLUE)
    assert rows[1][0][120, 120].tolist() == [200, 200, 200]
    with pytest.raises(ValueError, match="0 pictures"):
        plot_poses([], tmp_path / "none.png", title="")


def test_a_training_with_keypoints_is_drawn(tmp_path: Path) -> None:
    rows = [
        {"epoch": n, "train/loss": 1.0 / (n + 1), "val/pck": 0.1 * n, "val/pck_at_0.1": 0.01}
        for n in range(3)
    ]
    assert plot_training(rows, tmp_path / "training.png").is_file()
