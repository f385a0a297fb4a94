"""What guides a network as a picture; pixels are sampled from what was written."""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reid.datasets.keypoints import SEGMENTS
from reid.plots import GuidedImage, plot_guides
from reid.plots.sheet import Sheet
from reid.plots.style import AMBER, BLUE
from reid.plots.vehicles import SEGMENT_COLOURS

SIZE = 60  # of the image; its cell is four times as large
CELL, FRAME, GAP, LEFT, TOP = 240, 4, 10, 24 + 150, 24 + 30 + 44  # pixels of the sheet


def sample(**guides: Any) -> GuidedImage:
    return GuidedImage(np.full((SIZE, SIZE, 3), 100, np.uint8), **guides, title="identity 1\ncam 2")


def points(*placed: tuple[int, float, float, float]) -> NDArray[np.float32]:
    """Keypoints k at x, y with a confidence; all others are far away."""
    keypoints = np.full((36, 3), -1000, np.float32)
    for k, *place in placed:
        keypoints[k] = place
    return keypoints


def planes(count: int, **lit: tuple[slice, slice]) -> NDArray[np.uint8]:
    """Black, but for a part of those named p0, p1 ..."""
    whole = np.zeros((count, SIZE, SIZE), np.uint8)
    for name, part in lit.items():
        whole[int(name[1:])][part] = 255
    return whole


@pytest.fixture
def view(tmp_path: Path) -> Callable[..., NDArray[np.uint8]]:
    """The cell of one column of a sheet, (240, 240, 3) RGB."""

    def cut(samples: list[GuidedImage], column: int, row: int = 0) -> NDArray[np.uint8]:
        path = plot_guides(samples, tmp_path / "new" / "guides.png", title="what the network sees")
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        image = cv2.imread(str(path))[..., ::-1]
        x = LEFT + FRAME + column * (CELL + 2 * FRAME + GAP)
        y = TOP + FRAME + row * (CELL + 2 * FRAME + GAP)
        return image[y : y + CELL, x : x + CELL]

    return cut


def test_the_key_explains_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Heat maps and segments have no rings."""
    written: list[str] = []
    write = Sheet.write
    monkeypatch.setattr(Sheet, "write", lambda *a, **k: (written.append(a[3]), write(*a, **k))[1])

    def key(**guides: Any) -> set[str]:
        written.clear()
        plot_guides([sample(**guides)], tmp_path / "guides.png", title="what the network sees")
        return {"left side", "confidence < 0.5", "roof"} & set(written)

    assert key(heatmaps=planes(36)) == {"left side"}
    assert key(keypoints=points()) == {"left side", "confidence < 0.5"}
    assert key(segments=planes(13)) == {"left side", "roof"}, "both are faces"
    assert not key()


def is_like(pixel: NDArray[np.uint8], colour: str, *, within: float = 12) -> bool:
    return bool(np.abs(pixel - 255 * np.array(to_rgb(colour))).max() < within)


def is_gray(pixels: NDArray[np.uint8]) -> bool:
    return bool((np.ptp(pixels.astype(int), axis=-1) < 3).all())


def test_the_image_is_as_it_is(view) -> None:
    assert (view([sample()], 0) == 100).all()


def test_sides_have_colours_and_what_is_not_sure_is_hollow(view) -> None:
    keypoints = points((0, 10, 10, 0.9), (18, 40, 10, 1.1), (5, 10, 40, 0.4), (23, 40, 40, 0.49))
    cell = view([sample(keypoints=keypoints)], 1)
    assert is_like(cell[40, 40], BLUE)
    assert is_like(cell[40, 160], AMBER)
    for y, x, colour in ((160, 40, BLUE), (160, 160, AMBER)):
        assert is_gray(cell[y, x])
        assert any(is_like(pixel, colour, within=40) for pixel in cell[y, x : x + 12])
    assert is_gray(cell[80:120])


def test_a_keypoint_beside_the_image_is_not_shown(view) -> None:
    away = points((0, -3, 10, 1), (1, 10, -3, 1), (2, SIZE + 3, 10, 1), (20, 10, SIZE + 3, 1))
    assert is_gray(view([sample(keypoints=away)], 1))


def test_heatmaps_are_each_side_s_maximum(view) -> None:
    half, rest = slice(0, 30), slice(30, 60)
    lit = {"p0": (half, half), "p17": (half, half), "p35": (rest, rest)}
    cell = view([sample(heatmaps=planes(36, **lit))], 1)
    assert is_like(cell[60, 60], BLUE, within=30)
    assert is_like(cell[180, 180], AMBER, within=30)
    assert is_gray(cell[:100, 140:])


def test_segments_have_the_colours_of_the_key(view) -> None:
    """One after the other: the picture shines through, so that the colour of the key has the nearest hue."""
    assert len(set(SEGMENT_COLOURS)) == len(SEGMENTS) == 13
    for k in range(13):
        cell = view([sample(segments=planes(13, **{f"p{k}": (slice(0, 30), slice(0, 60))}))], 1)
        pixel, ground = cell[60, 120].astype(float), cell[200, 120].astype(float)
        assert is_gray(cell[140:])
        mixed = [0.62 * 255 * np.array(to_rgb(colour)) + 0.38 * ground for colour in SEGMENT_COLOURS]
        assert np.argmin([np.abs(pixel - each).max() for each in mixed]) == k


def test_columns_are_what_there_is(view) -> None:
    """The second image has no segments: its cell says so, and its heatmaps stand below those of the first."""
    lit = {"p0": (slice(0, 60), slice(0, 60))}
    both = [
        sample(heatmaps=planes(36, **lit), segments=planes(13, **lit)),
        sample(heatmaps=planes(36, p18=lit["p0"])),
    ]
    assert is_like(view(both, 1)[50, 50], BLUE, within=30)
    assert is_like(view(both, 1, row=1)[50, 50], AMBER, within=30)
    assert not is_gray(view(both, 2)[50, 50])
    nothing = view(both, 2, row=1)
    assert is_gray(nothing[50, 50])
    assert nothing[100:140, 80:160].std() > 1  # "none"


@pytest.mark.parametrize("kinds", [[], ["keypoints"], ["segments"], ["keypoints", "heatmaps", "segments"]])
@pytest.mark.parametrize("shape", [(60, 60), (80, 32), (32, 90)])
def test_texts_neither_meet_nor_leave_the_sheet(
    monkeypatch: pytest.MonkeyPatch, kinds: list[str], shape: tuple[int, int]
) -> None:
    every = {
        "keypoints": points((0, 5, 5, 1)),
        "heatmaps": np.zeros((36, *shape), np.uint8),
        "segments": np.zeros((13, *shape), np.uint8),
    }
    image = np.zeros((*shape, 3), np.uint8)
    one = GuidedImage(
        image, **{kind: every[kind] for kind in kinds}, title="identity 776\ncam 20, of a long name"
    )
    figures: list[Figure] = []
    monkeypatch.setattr("reid.plots.guides.write_png", lambda figure, path: figures.append(figure))
    plot_guides([one, one], Path("unused.png"), title="a benchmark of a long name: what the network sees")
    figure = figures[0]
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
    for a, b in combinations(boxes, 2):
        assert a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0


@pytest.mark.parametrize(
    ("guides", "message"),
    [
        ({"keypoints": np.zeros((35, 3), np.float32)}, r"keypoints of shape \(35, 3\).*give \(36, 3\)"),
        ({"heatmaps": np.zeros((36, 64, 64), np.uint8)}, r"heatmaps .*give \(36, 60, 60\)"),
        ({"segments": np.zeros((36, 60, 60), np.uint8)}, r"segments .*give \(13, 60, 60\)"),
    ],
)
def test_guides_fit_their_image(guides: dict[str, NDArray[Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(**guides)


def test_nothing_to_plot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        plot_guides([], tmp_path / "p.png", title="x")
