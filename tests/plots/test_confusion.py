"""Confusion matrices as pictures: shades and figures of each row, and texts that do not meet."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from reid.datasets.keypoints import COLORS, TYPES
from reid.plots import plot_confusion


def drawn(monkeypatch: pytest.MonkeyPatch, matrix: object, names: list[str], title: str = "color") -> Figure:
    """The figure instead of its file."""
    figures: list[Figure] = []
    with monkeypatch.context() as patch:
        patch.setattr("reid.plots.confusion.write_png", lambda figure, path: figures.append(figure))
        plot_confusion(matrix, names, Path("unused.png"), title=title)
    return figures[0]


def cells(figure: Figure) -> dict[tuple[int, int], list[str]]:
    """(row, column) -> the texts in that cell."""
    found: dict[tuple[int, int], list[str]] = {}
    for text in figure.axes[0].texts:
        x, y = text.get_position()
        found.setdefault((round(y), round(x)), []).append(text.get_text())
    return found


def texts_of(figure: Figure) -> list[Text]:
    """All texts that are seen."""
    ax = figure.axes[0]
    labels = [*ax.get_xticklabels(), *ax.get_yticklabels()]
    return [text for text in (*figure.texts, *ax.texts, *labels) if text.get_text()]


@pytest.mark.parametrize(
    ("count", "name"), [(1, "a"), (2, "night"), (4, "short sleeves"), (6, "red"), (7, "x"), (10, "hatchback")]
)
def test_texts_neither_meet_nor_leave_the_picture(
    monkeypatch: pytest.MonkeyPatch, count: int, name: str
) -> None:
    matrix = np.full((count, count), 1_234)
    figure = drawn(monkeypatch, matrix, [f"{name} {k}" for k in range(count)], "a benchmark, upper clothing")
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in texts_of(figure)]
    width, height = figure.bbox.size
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    assert len(boxes) == 2 + 2 * count + count**2 * (2 if count <= 6 else 1)
    for one, other in combinations(boxes, 2):
        apart = one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
        assert apart


def test_each_row_is_a_hundred_per_cent(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = [[150, 50, 0], [1, 1, 998], [0, 0, 0]]
    figure = drawn(monkeypatch, matrix, ["red", "blue", "none"])
    assert cells(figure) == {
        (0, 0): ["75 %", "150"],
        (0, 1): ["25 %", "50"],
        (1, 0): ["<1 %", "1"],
        (1, 1): ["<1 %", "1"],
        (1, 2): ["100 %", "998"],
        (2, 1): ["no image"],
    }
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["red", "blue", "none"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["red  200", "blue  1,000", "none  0"]
    assert figure.texts[0].get_text() == "color: 12.6 % of 1,200 right"  # 151 / 1200


def test_a_large_matrix_has_shares_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = 5 * np.eye(10, dtype=int)
    matrix[3, 4] = 15
    found = cells(drawn(monkeypatch, matrix, list(COLORS)))
    assert found == {**{(k, k): ["100"] for k in range(10)}, (3, 3): ["25"], (3, 4): ["75"]}


def test_shades_are_of_rows(tmp_path: Path) -> None:
    """Rows of 4 and of 4,000 images look alike; what is never said is the lightest."""
    path = plot_confusion([[3, 1], [1_000, 3_000]], ["a", "b"], tmp_path / "new" / "c.png", title="x")
    image = cv2.imread(str(path))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    side = round(0.78 * 150)  # of a cell; the matrix is 0.2 inches above the lower edge
    dark = (image[..., 2] < 60) & (image[..., 0] > 80)  # the blue of 75 per cent
    left = np.flatnonzero(dark.sum(0) > side / 3)
    bottom = image.shape[0] - round(0.2 * 150)
    corner = left.min() + 6, bottom - 2 * side + 6
    colours = [
        image[corner[1] + row * side, corner[0] + column * side] for row in (0, 1) for column in (0, 1)
    ]
    assert np.array_equal(colours[0], colours[3])
    assert np.array_equal(colours[1], colours[2])
    assert colours[0].sum() < colours[1].sum()


def test_types_of_which_one_is_nowhere(tmp_path: Path) -> None:
    matrix = np.diag([776, 318, 42, 114, 0, 106, 56, 250, 16])
    path = plot_confusion(matrix, TYPES, tmp_path / "c.png", title="veri, type")
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("matrix", "names"),
    [([[1, 2]], ["a"]), ([[1]], ["a", "b"]), ([[0]], ["a"]), ([[1, -1], [0, 1]], ["a", "b"]), ([], [])],
)
def test_what_is_no_confusion_matrix(tmp_path: Path, matrix: list[list[int]], names: list[str]) -> None:
    with pytest.raises(ValueError, match="give a square one of counts, as many names as rows"):
        plot_confusion(matrix, names, tmp_path / "c.png", title="x")
