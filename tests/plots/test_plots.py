"""Pictures are whole PNGs that say what the data says; pixels are sampled from what was written."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from reid.plots import RankedList, choose_queries, plot_cmc, plot_ranked_lists, plot_roc, plot_training
from reid.plots.style import BLUE, GREEN, RED, ROSE, VIOLET

NAN = float("nan")


def picture(path):
    """(H, W, 3) RGB of a file that must be a PNG and the only thing in its folder."""
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return cv2.imread(str(path))[..., ::-1]


def pixels_of(image, colour):
    """(H, W) bool: where the image has exactly that colour."""
    return (image == np.rint(255 * np.array(to_rgb(colour)))).all(-1)


def epoch(number, **columns):
    row = {"epoch": number, "learning_rate": 1e-3, "train/loss": 3.0 / (number + 1), "seconds": 1.0}
    return row | {name.replace("_", "/", 1): value for name, value in columns.items()}


@pytest.mark.parametrize("count", [1, 2, 60])
def test_training_shows_every_length(tmp_path, count):
    rows = [epoch(e, val_mAP=0.5 + e / 200, val_rank1=0.7, train_triplet=0.1) for e in range(count)]
    path = plot_training(rows, tmp_path / "new" / "plots" / "training.png")
    image = picture(path)
    assert image.shape[1] == round(7.2 * 150)
    assert pixels_of(image, BLUE).any()


def test_a_lone_epoch_is_visible(tmp_path):
    drawn = picture(plot_training([epoch(0, train_identity=2.0)], tmp_path / "a" / "p.png"))
    assert pixels_of(drawn, BLUE)[:, drawn.shape[1] // 3 : 2 * drawn.shape[1] // 3].sum() > 20


def test_gaps_and_nan_are_left_out(tmp_path):
    """Epochs without a value, with NaN or with infinity change nothing but the length of the axis."""
    rows = [
        epoch(0, val_mAP=0.2),
        epoch(1),
        epoch(2, val_mAP=NAN),
        epoch(3, val_mAP=0.4, train_triplet=np.inf),
    ]
    same = [epoch(0, val_mAP=0.2), epoch(1), epoch(2), epoch(3, val_mAP=0.4)]
    one, other = (plot_training(r, tmp_path / n / "p.png") for r, n in ((rows, "a"), (same, "b")))
    assert one.read_bytes() == other.read_bytes()


def test_throughput_is_not_a_loss(tmp_path):
    rows = [epoch(e) for e in range(3)]
    fast = [row | {"train/images_per_second": 900.0, "train/data_wait": 0.1} for row in rows]
    one, other = (plot_training(r, tmp_path / n / "p.png") for r, n in ((rows, "a"), (fast, "b")))
    assert one.read_bytes() == other.read_bytes()


def test_attributes_have_a_line_each(tmp_path):
    rows = [epoch(e, val_mAP=0.4 + e / 20, val_color_accuracy=0.9, val_type_accuracy=0.2) for e in range(3)]
    path = plot_training(rows, tmp_path / "training.png")
    image = picture(path)
    assert pixels_of(image, VIOLET).sum() > 50
    assert pixels_of(image, ROSE).sum() > 50


def test_panels_without_values_are_left_out(tmp_path):
    whole = picture(plot_training([epoch(0, val_mAP=0.5)], tmp_path / "a" / "p.png"))
    rest = picture(plot_training([epoch(0)], tmp_path / "b" / "p.png"))
    assert rest.shape[0] < whole.shape[0]


@pytest.mark.parametrize("rows", [[], [{"epoch": 0}], [{"epoch": 0, "val/mAP": NAN}]])
def test_nothing_to_plot_is_refused(tmp_path, rows):
    with pytest.raises(ValueError, match=r"train/<loss>"):
        plot_training(rows, tmp_path / "p.png")


def title_of(monkeypatch, draw):
    """The heading of the figure that ``draw`` makes."""
    headings = []
    for module in ("curves", "ranked_lists"):
        monkeypatch.setattr(
            f"reid.plots.{module}.write_png", lambda f, path: headings.append(f.get_suptitle())
        )
    draw()
    return headings[0]


def test_title_names_the_first_of_the_best_epochs(tmp_path, monkeypatch):
    scores = [(0.2, 0.5), (0.612, 0.81), (0.4, 0.9), (0.612, 0.7)]
    rows = [epoch(e, val_mAP=m, val_rank1=r) for e, (m, r) in enumerate(scores)]
    title = title_of(monkeypatch, lambda: plot_training(rows, tmp_path / "p.png"))
    assert title == "mAP 61.2 % and rank-1 81.0 % at epoch 2 of 4"


@pytest.mark.parametrize("length", [1, 3, 20, 50])
def test_cmc_of_any_gallery(tmp_path, length):
    curve = np.linspace(0.5, 1, length)
    path = plot_cmc({"euclidean": curve}, tmp_path / "cmc.png", mean_average_precision={"euclidean": 0.4})
    assert picture(path).shape == (600, 810, 3)


def test_cmc_title_names_the_better_distance(tmp_path, monkeypatch):
    curves = {"euclidean": [0.8, 0.9], "cosine": [0.7, 0.9]}
    scores = {"euclidean": 0.5, "cosine": 0.6}
    title = title_of(monkeypatch, lambda: plot_cmc(curves, tmp_path / "p.png", mean_average_precision=scores))
    assert title == "rank-1 70.0 %, mAP 60.0 % (cosine)"


@pytest.mark.parametrize("curves", [{}, {"euclidean": []}, {"cosine": [0.5]}])
def test_incomplete_cmc_is_refused(tmp_path, curves):
    with pytest.raises(ValueError, match="at least one"):
        plot_cmc(curves, tmp_path / "p.png", mean_average_precision={"euclidean": 0.5})


@pytest.mark.parametrize(
    ("false", "true"),
    [
        ([0, 0.01], [0.5, 0.6]),  # one rate above 0, a decade
        ([0, 1e-9, 3e-9], [0.5, 0.6, 0.7]),  # all lower than what is usually shown
        ([0, 0.5, 1], [0, 0, 1]),
        (np.arange(1000) / 1e5, np.sqrt(np.arange(1000) / 1000)),
    ],
)
def test_roc_of_any_length(tmp_path, false, true):
    image = picture(plot_roc({"euclidean": (false, true)}, tmp_path / "new" / "roc.png"))
    assert image.shape == (600, 810, 3)
    assert pixels_of(image, BLUE).any(0).sum() > 400  # from edge to edge


def test_roc_is_flat_between_its_corners(tmp_path):
    """Half the decades at one height, the others at another, and a step between them."""
    curve = {"euclidean": ([0, 1e-3, 1e-1], [0.25, 0.75, 0.75])}
    image = picture(plot_roc(curve, tmp_path / "new" / "roc.png", fpr=1e-4))
    line = pixels_of(image, BLUE)
    lower, upper = np.flatnonzero(line.sum(1) > 100)[[-1, 0]]
    left, right = (np.flatnonzero(line[row]) for row in (lower, upper))
    assert abs(int(left.max()) - int(right.min())) < 10
    # the axis starts a decade before the first corner, and ends two decades behind it
    assert np.ptp(right) == pytest.approx(2 * np.ptp(left), rel=0.05)


def test_roc_title_gives_the_last_corner_before_the_rate(tmp_path, monkeypatch):
    curves = {
        "euclidean": ([0, 0.0005, 0.002], [0.5, 0.6, 0.9]),
        "cosine": ([0, 0.001, 0.002], [0.5, 0.61, 0.8]),
    }
    title = title_of(monkeypatch, lambda: plot_roc(curves, tmp_path / "p.png"))
    assert title == "TPR 61.0 % at FPR 0.001 (cosine)"
    title = title_of(monkeypatch, lambda: plot_roc(curves, tmp_path / "p.png", fpr=2e-3))
    assert title == "TPR 90.0 % at FPR 0.002 (euclidean)"


@pytest.mark.parametrize(
    "curve", [None, ([], []), ([0], [0.5]), ([0.01, 0.1], [0.5, 0.6]), ([0, 0.1], [0.5])]
)
def test_incomplete_roc_is_refused(tmp_path, curve):
    with pytest.raises(ValueError, match="at least one"):
        plot_roc({} if curve is None else {"euclidean": curve}, tmp_path / "p.png")


@pytest.fixture
def photos(tmp_path):
    """Eleven grey images of people's shape."""
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = [folder / f"{i:02d}.png" for i in range(11)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((128, 64, 3), 40 + 15 * i, np.uint8))
    return paths


def ranked(photos, match):
    return RankedList("identity 1", photos[0], photos[1 : 1 + len(match)], match, 0.5, "Best")


def frames(image):
    """What the frames of a sheet of one row say from left to right: "query", True (green) or False (red)."""
    names = {BLUE: "query", GREEN: True, RED: False}
    found = []  # upper edges: a run of one colour as wide as a cell of 64 pixels and its frame of 4
    for colour, name in names.items():
        mask = pixels_of(image, colour)
        upper = mask[mask.sum(1).argmax()]  # the fullest line, the first of them
        edges = np.flatnonzero(np.diff(np.r_[0, upper.astype(int), 0]))
        found += [(start, name) for start, stop in edges.reshape(-1, 2) if stop - start == 72]
    return [name for _, name in sorted(found)]


@pytest.mark.parametrize(
    "match",
    [[True, False, True], [False] * 10, [True] * 10, [True, False] * 5, [True], []],
)
def test_frames_say_which_images_match(tmp_path, photos, match):
    image = picture(plot_ranked_lists([ranked(photos, match)], tmp_path / "out" / "p.png"))
    assert frames(image) == ["query", *match]


def test_only_ten_are_shown(tmp_path, photos):
    match = [True] * 10 + [False] * 5
    many = RankedList("identity 1", photos[0], [photos[1]] * 15, match, 0.5)
    assert frames(picture(plot_ranked_lists([many], tmp_path / "out" / "p.png"))) == ["query", *match[:10]]


def test_images_of_the_usual_shape_are_shown_as_they_are(tmp_path, photos):
    noise = np.random.default_rng(0).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(photos[1]), noise[..., ::-1])
    image = picture(plot_ranked_lists([ranked(photos, [True])], tmp_path / "out" / "p.png"))
    top, left = np.argwhere(pixels_of(image, GREEN))[0] + 4
    assert np.array_equal(image[top : top + 128, left : left + 64], noise)


def test_aspect_is_kept(tmp_path, photos):
    """A 100 × 100 image in a cell of 64 × 128 is a square of 64 in its middle."""
    cv2.imwrite(str(photos[1]), np.full((100, 100, 3), 7, np.uint8))
    image = picture(plot_ranked_lists([ranked(photos, [True, True, True])], tmp_path / "out" / "p.png"))
    rows, columns = np.nonzero((image == 7).all(-1))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1, len(rows)) == (64, 64, 64 * 64)
    top = np.argwhere(pixels_of(image, GREEN))[0, 0] + 4
    assert rows.min() - top == 32


@pytest.mark.parametrize("content", [None, b"", b"no image"])
def test_an_unreadable_image_is_a_grey_cell(tmp_path, photos, content):
    photos[2].unlink()
    if content is not None:
        photos[2].write_bytes(content)
    image = picture(plot_ranked_lists([ranked(photos, [True, False, True])], tmp_path / "out" / "p.png"))
    assert frames(image) == ["query", True, False, True]
    assert pixels_of(image, "#C3C9D0").sum() > 64 * 128 * 0.8


def test_a_sheet_of_nothing_readable(tmp_path):
    gone = RankedList("identity 1", tmp_path / "a.jpg", [tmp_path / "b.jpg"], [True], 1.0)
    assert frames(picture(plot_ranked_lists([gone], tmp_path / "out" / "p.png"))) == ["query", True]


def test_rows_and_headings_make_the_height(tmp_path, photos):
    """The sheet is as wide for one row as for three, and grows by the same for each row and each heading."""
    one = ranked(photos, [True, False])
    sheets = {
        "one": [one],
        "two": [one, one],
        "three": [one, one, one],
        "groups": [one, replace(one, group="Worst")],
    }
    shapes = {
        name: picture(plot_ranked_lists(lists, tmp_path / name / "p.png")).shape
        for name, lists in sheets.items()
    }
    assert len({shape[1] for shape in shapes.values()}) == 1
    assert shapes["three"][0] - shapes["two"][0] == shapes["two"][0] - shapes["one"][0] > 128
    assert 0 < shapes["groups"][0] - shapes["two"][0] < 128


def test_lists_that_do_not_fit_are_refused(tmp_path, photos):
    with pytest.raises(ValueError, match="1 matches"):
        RankedList("identity 1", photos[0], photos[1:3], [True], 0.5)
    with pytest.raises(ValueError, match="1 cameras"):
        RankedList("identity 1", photos[0], photos[1:3], [True, True], 0.5, cameras=["c1"])
    with pytest.raises(ValueError, match="at least one"):
        plot_ranked_lists([], tmp_path / "p.png")


def test_best_typical_and_worst():
    chosen = choose_queries([0.1, 0.9, NAN, 0.5, 0.2, 0.8, 0.55, 0.4, 0.7, 0.3])
    assert chosen == {"best": [1, 5, 8], "typical": [3, 6, 7], "worst": [0, 4, 9]}  # the median is 0.5


@pytest.mark.parametrize("scored", range(12))
def test_no_query_twice_and_none_that_was_not_scored(scored):
    rng = np.random.default_rng(scored)
    ap = np.full(scored + 5, NAN)
    rows = rng.permutation(scored + 5)[:scored]
    ap[rows] = rng.integers(0, 3, scored) / 2  # many ties
    chosen = choose_queries(ap)
    listed = [row for group in chosen.values() for row in group]
    assert list(chosen) == ["best", "typical", "worst"]
    assert len(listed) == len(set(listed)) == min(9, scored)
    assert set(listed) <= set(rows.tolist())
    values = [ap[chosen[group]] for group in ("best", "typical", "worst") if chosen[group]]
    assert all(higher.min() >= lower.max() for higher, lower in pairwise(values))
    assert chosen == choose_queries(ap)


def test_ties_are_not_the_first_rows():
    """Neighbouring queries show one person: a picture of three of them says little."""
    assert np.ptp(choose_queries(np.ones(3000))["best"]) > 100


def test_a_failure_leaves_the_old_picture_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "p.png"
    path.write_bytes(b"old")

    def fail(figure, file, **options):
        Path(file).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plot_training([epoch(0)], path)
    assert [file.name for file in tmp_path.iterdir()] == ["p.png"]
    assert path.read_bytes() == b"old"


def test_drawing_touches_no_global_state(tmp_path):
    code = """
import pathlib, sys
import matplotlib
from reid.plots import plot_training
before = matplotlib.rcParams.copy()
plot_training([{"epoch": 0, "train/loss": 1.0}], pathlib.Path(sys.argv[1]))
assert matplotlib.rcParams.copy() == before
assert not {"matplotlib.pyplot", "pytorch_lightning", "hydra"} & set(sys.modules)
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "p.png")], check=True, cwd=root)
