"""Where a network looks: one map of many, and its colours over the picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid.plots import ActivatedRow, activation, plot_activation


def test_squares_are_summed_over_channels_and_have_unit_length() -> None:
    """Two channels of 1 x 2: (3, 0) and (4, -12) are 9 + 16 = 25 and 144, of length hypot(25, 144)."""
    maps = np.array([[[[3, 0]], [[4, -12]]]], np.float32)
    length = (25**2 + 144**2) ** 0.5
    np.testing.assert_allclose(activation(maps), [[[25 / length, 144 / length]]], rtol=1e-6)
    scaled = np.concatenate([maps, 3 * maps])
    np.testing.assert_allclose(*activation(scaled), rtol=1e-6)
    assert (activation(np.zeros((1, 2, 3, 3), np.float32)) == 0).all(), (
        "a picture that moves nothing divides by nothing"
    )


def test_the_picture_is_red_where_the_map_is_high_and_keeps_a_share_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.full((128, 64, 3), 200, np.uint8))
    heat = np.zeros((1, 4, 2), np.float32)
    heat[0, 3] = 0.5
    drawn = plot_activation(
        [ActivatedRow("identity 7", [path], heat)], tmp_path / "new" / "p.png", title="maps"
    )
    sheet = cv2.imread(str(drawn))[..., ::-1].astype(int)
    x, y = 24 + 150 + 4, 24 + 30 + 10 + 4  # the sheet's edge, the row's head, a frame
    picture, below = sheet[y : y + 128, x : x + 64], sheet[y + 136 : y + 136 + 128, x : x + 64]
    assert (picture == 200).all()
    top, bottom = below[10, 32], below[120, 32]
    blue, red = (cv2.applyColorMap(np.uint8([[value]]), cv2.COLORMAP_TURBO)[0, 0, ::-1] for value in (0, 255))
    np.testing.assert_allclose(top, 0.7 * blue + 0.3 * 200, atol=1)
    np.testing.assert_allclose(bottom, 0.7 * red + 0.3 * 200, atol=1)
    assert top[2] > top[0]
    assert bottom[0] > bottom[2]


def test_what_cannot_be_shown(tmp_path: Path) -> None:
    maps = np.ones((1, 2, 2), np.float32)
    assert plot_activation([ActivatedRow("gone", [tmp_path / "no.jpg"], maps)], tmp_path / "p.png").is_file()
    with pytest.raises(ValueError, match="0 rows"):
        plot_activation([], tmp_path / "p.png")
    with pytest.raises(ValueError, match="a: 2 pictures with 1 maps"):
        plot_activation([ActivatedRow("a", [tmp_path / "a", tmp_path / "b"], maps)], tmp_path / "p.png")
