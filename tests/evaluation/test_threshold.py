"""The threshold of a false positive rate against every distance tried, and worked examples."""

from fractions import Fraction

import numpy as np
import oracles_verification
import pytest
import torch
from torch import Tensor

from reid.contracts import Features, Labels
from reid.evaluation import EuclideanDistance, Threshold, threshold_at


def found(matrix: Tensor, query: Labels, gallery: Labels, **options: object) -> Threshold:
    """Features are row numbers here, and their distance looks the matrix up."""
    rows = [torch.arange(float(n))[:, None] for n in matrix.shape]
    sides = [Features(embedding=each, pooled=each) for each in rows]

    def lookup(q: Features, g: Features) -> Tensor:
        return matrix[q.embedding[:, 0].long()][:, g.embedding[:, 0].long()]

    return threshold_at(sides[0], query, sides[1], gallery, distance=lookup, **options)


def by_distances(positive: float, negatives: list[float], **options: object) -> Threshold:
    """One query, one match, and a gallery image of another identity for each distance."""
    count = 1 + len(negatives)
    gallery = Labels(torch.tensor([1] + [2] * len(negatives)), torch.ones(count, dtype=torch.int64))
    query = Labels(torch.tensor([1]), torch.tensor([0]))
    return found(torch.tensor([[positive, *negatives]]), query, gallery, **options)


@pytest.mark.parametrize("same_camera", ["exclude", "keep"])
@pytest.mark.parametrize("fpr", ["0", "0.001", "0.02", "0.29", "1"])
def test_equals_brute_force_over_all_pairs(fpr: str, same_camera: str) -> None:
    numbers = np.random.default_rng(0)
    for case in range(40):
        levels, shape = int(numbers.integers(2, 400)), (int(numbers.integers(2, 9)), 50)
        matrix = torch.from_numpy(numbers.integers(0, levels, shape) / 4.0).float()
        query = Labels(*(torch.from_numpy(numbers.integers(0, 4, shape[0])) for _ in range(2)))
        gallery = Labels(*(torch.from_numpy(numbers.integers(-1, 4, shape[1])) for _ in range(2)))
        gallery.identity[0], gallery.camera[0] = query.identity[0], 7  # at least one match
        sides = [list(zip(s.identity.tolist(), s.camera.tolist(), strict=True)) for s in (query, gallery)]
        _, negatives = oracles_verification.pairs(
            matrix.tolist(), query=sides[0], gallery=sides[1], same_camera=same_camera
        )
        value, share = oracles_verification.threshold(negatives, Fraction(fpr))
        ours = found(matrix, query, gallery, fpr=float(fpr), same_camera=same_camera, block=3)
        assert ours.false_positive_rate == float(share), case
        if value is None:
            assert ours.value == np.nextafter(np.float32(min(negatives)), np.float32(-1))
        else:
            assert ours.value == value, case


def test_of_features_by_numpy() -> None:
    """1e-3 of 40 x 60 images of 8 identities, whose own distances are written out."""
    numbers = np.random.default_rng(1)
    q, g = numbers.normal(size=(40, 5)), numbers.normal(size=(60, 5))
    ids, others = np.arange(40) % 8, np.arange(60) % 8
    table = ((q[:, None] - g[None]) ** 2).sum(2)
    apart = np.sort(table[ids[:, None] != others[None]])
    sides = [torch.from_numpy(each).float() for each in (q, g)]
    features = [Features(embedding=each, pooled=each) for each in sides]
    labels = [Labels(torch.from_numpy(i), torch.full((len(i),), c)) for c, i in enumerate((ids, others))]
    ours = threshold_at(features[0], labels[0], features[1], labels[1], distance=EuclideanDistance())
    allowed = len(apart) // 1000
    assert allowed == 2
    assert ours.value == pytest.approx(apart[allowed - 1], rel=1e-4)
    assert ours.false_positive_rate == allowed / len(apart)


def test_by_hand() -> None:
    negatives = [float(k) for k in range(1, 11)]
    assert by_distances(0.5, negatives, fpr=0.29) == Threshold(2.0, 0.2)  # floor(2.9)
    assert by_distances(0.5, negatives, fpr=1e-3) == Threshold(1.0, 0.1)  # the least that ten pairs allow
    assert by_distances(0.5, negatives, fpr=1) == Threshold(10.0, 1.0)
    assert by_distances(0.5, [3.0], fpr=1e-3) == Threshold(3.0, 1.0)


def test_equal_distances_are_accepted_together_or_not_at_all() -> None:
    assert by_distances(0.5, [1.0, 2.0, 2.0, 3.0], fpr=0.5) == Threshold(1.0, 0.25)
    below = by_distances(0.5, [2.0, 2.0, 3.0, 4.0], fpr=0.25)
    assert below.false_positive_rate == 0
    assert 1.9999 < below.value < 2.0
