"""PCK, right and as published, beside loops over pictures and keypoints."""

from math import hypot, sqrt

import numpy as np
import pytest

from reid.datasets.keypoints import PARTS_OF_A_SIDE
from reid.evaluation.pck import GROUPS, pck, pck_legacy

GROUP_OF_PART = {  # recipes 8.1
    "rear wheel": "wheel",
    "front wheel": "wheel",
    "rear lower corner": "back",
    "rear upper corner": "back",
    "rear window, lower corner": "windshield_back",
    "roof, rear corner": "windshield_back",
    "roof, front corner": "windshield_front",
    "windscreen, lower corner": "windshield_front",
    "front upper corner": "front",
    "front lower corner": "front",
}


def members(group: str) -> list[int]:
    return [k for k in range(36) if GROUP_OF_PART.get(PARTS_OF_A_SIDE[k % 18], "fender") == group]


def some(count: int = 40, *, seed: int = 0, spread: float = 12.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    true = np.concatenate(
        [random.integers(5, 200, (count, 36, 2)), random.random((count, 36, 1)) < 0.67], axis=2
    ).astype(float)
    predicted = true + random.normal(0, spread, true.shape)
    predicted[..., 2] = random.random((count, 36)) * 1.1
    return predicted, true


def slow_pck(predicted: np.ndarray, true: np.ndarray, *, keypoints: list[int], threshold: float) -> float:
    right = known = 0
    for ours, theirs in zip(predicted, true, strict=True):
        seen = [point for point in theirs if point[2] == 1]
        xs, ys = [p[0] for p in seen], [p[1] for p in seen]
        unit = 0.25 * sqrt((max(xs) - min(xs)) * (max(ys) - min(ys)))
        for k in keypoints:
            if theirs[k][2] == 1:
                known += 1
                right += hypot(ours[k][0] - theirs[k][0], ours[k][1] - theirs[k][1]) / unit <= threshold
    return right / known


def slow_legacy(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Per keypoint in per cent, as the published program goes about it (recipes 8.5)."""
    unit = 0.25 * sqrt(len(true))
    share, strict, seen = [], [], []
    for k in range(36):
        near = nearer = visible = 0
        for ours, theirs in zip(predicted[:, k], true[:, k], strict=True):
            if theirs[2]:
                error = sqrt(sum((a - b) ** 2 for a, b in zip(ours, theirs, strict=True))) / unit
                visible += 1
                near += error <= 0.5
                nearer += error <= 0.11
        share.append(near / visible)
        strict.append(nearer / visible)
        seen.append(visible)
    figures = {
        "pck_legacy": sum(s * n for s, n in zip(share, seen, strict=True)) / sum(seen),
        "pck_legacy_at_0.1": sum(s * n for s, n in zip(strict, seen, strict=True)) / sum(seen),
    }
    for group in GROUPS:
        own = members(group)
        figures[f"pck_legacy_{group}"] = sum(share[k] for k in own) / len(own)
    return figures


def test_groups_are_the_published_ones() -> None:
    for group, left in GROUPS.items():
        assert sorted([*left, *(k + 18 for k in left)]) == members(group)
    assert [len(members(group)) for group in GROUPS] == [4, 16, 4, 4, 4, 4]


def test_pck_beside_the_loop() -> None:
    predicted, true = some()
    figures = pck(predicted, true)
    every = list(range(36))
    assert figures["pck"] == pytest.approx(slow_pck(predicted, true, keypoints=every, threshold=0.5))
    assert figures["pck_at_0.1"] == pytest.approx(slow_pck(predicted, true, keypoints=every, threshold=0.1))
    for group in GROUPS:
        expected = slow_pck(predicted, true, keypoints=members(group), threshold=0.5)
        assert figures[f"pck_{group}"] == pytest.approx(expected)
    assert 0.1 < figures["pck"] < 0.95


def test_legacy_beside_the_loop() -> None:
    predicted, true = some(60, spread=0.8)
    assert pck_legacy(predicted, true) == pytest.approx(slow_legacy(predicted, true))


def test_the_published_threshold_in_pixels() -> None:
    """With 1,060 pictures .5 is 4.07 pixels and @0.1 is .895, whatever the pictures' sizes."""
    true = np.ones((1060, 36, 3))
    for error, near, nearer in ((0.894, 1, 1), (0.896, 1, 0), (4.06, 1, 0), (4.08, 0, 0)):
        predicted = true + np.array((error, 0, 0))
        figures = pck_legacy(predicted, true)
        assert (figures["pck_legacy"], figures["pck_legacy_at_0.1"]) == (near, nearer)


def test_legacy_counts_confidence_as_a_third_coordinate() -> None:
    true = np.ones((4, 36, 3))
    predicted = true.copy()
    predicted[..., 2] = 0.5  # an error of half a pixel; the threshold is .25 pixels
    assert pck_legacy(predicted, true)["pck_legacy"] == 0


def test_perfect_and_hopeless() -> None:
    _, true = some()
    assert set(pck(true, true).values()) == {1.0}
    assert set(pck(true + 1000, true).values()) == {0.0}


def test_what_cannot_be_scored_is_left_out() -> None:
    predicted, true = some(3)
    true[1, :, 2] = 0
    true[1, 4, 2] = 1  # a single visible keypoint has no box
    assert pck(predicted, true) == pck(predicted[[0, 2]], true[[0, 2]])
    true[..., 2] = 0
    with pytest.raises(ValueError, match="nothing to score"):
        pck(predicted, true)
    true[:, [2, 3, 20, 35], 2] = 1
    assert "pck_wheel" not in pck(predicted, true)
    assert "pck_legacy_wheel" not in pck_legacy(predicted, true)
