"""TPR at FPR against every threshold tried, worked examples with ties, and in bounded memory."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import oracles_verification
import pytest
import torch
from torch import Tensor

from reid.contracts import Features, Labels
from reid.evaluation import EuclideanDistance, Verification, verify

RATES = ("0", "0.003", "0.01", "0.1", "0.29", "0.5", "0.999", "1")


def features(embedding: Tensor) -> Features:
    return Features(embedding=embedding, pooled=embedding)


def labels(identity: Sequence[int], camera: Sequence[int] | None = None) -> Labels:
    return Labels(torch.tensor(identity), torch.tensor(camera if camera is not None else [0] * len(identity)))


def pairs(side: Labels) -> list[tuple[int, int]]:
    return list(zip(side.identity.tolist(), side.camera.tolist(), strict=True))


def verified(matrix: Tensor, query: Labels, gallery: Labels, **options: object) -> Verification:
    """Features are row numbers here, and their distance looks the matrix up."""
    sides = [features(torch.arange(float(n))[:, None]) for n in matrix.shape]

    def lookup(q: Features, g: Features) -> Tensor:
        return matrix[q.embedding[:, 0].long()][:, g.embedding[:, 0].long()]

    return verify(sides[0], query, sides[1], gallery, distance=lookup, **options)


def by_distances(positives: Sequence[float], negatives: Sequence[float], **options: object) -> Verification:
    """One query of identity 1, and one gallery image for each of these distances."""
    gallery = labels([1] * len(positives) + [2] * len(negatives), [1] * (len(positives) + len(negatives)))
    return verified(torch.tensor([[*positives, *negatives]]), labels([1]), gallery, **options)


def random_case(seed: int) -> tuple[Tensor, Labels, Labels]:
    """Few levels of distance, so ties everywhere; junk, unknown cameras, queries without a match."""
    g = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=g)

    queries, images, levels = int(draw(2, 12)), int(draw(8, 60)), int(draw(1, 40))
    matrix = draw(-levels, levels, queries, images) / 4.0
    query = Labels(draw(0, 4, queries), draw(-1, 3, queries))
    gallery = Labels(draw(-1, 4, images), draw(-1, 3, images))
    gallery.identity[:2] = query.identity[0]  # a match, and another identity for each query but these
    gallery.camera[:2] = torch.tensor([5, 6])
    gallery.identity[2] = 9
    return matrix - 2 * (query.identity[:, None] == gallery.identity), query, gallery


@pytest.mark.parametrize("same_camera", ["exclude", "keep"])
def test_equals_the_definition(same_camera: str) -> None:
    between = 0
    for seed in range(100):
        matrix, query, gallery = random_case(seed)
        positives, negatives = oracles_verification.pairs(
            matrix.tolist(), query=pairs(query), gallery=pairs(gallery), same_camera=same_camera
        )
        largest = RATES[seed % len(RATES)]
        found = verified(matrix, query, gallery, largest_fpr=float(largest), same_camera=same_camera, block=3)
        assert found.positives.tolist() == sorted(positives), seed
        assert found.negatives == len(negatives), seed
        kept = found.nearest_negatives.tolist()
        assert kept == sorted(negatives)[: len(kept)], seed
        for fpr in RATES[: RATES.index(largest) + 1]:
            expected = oracles_verification.true_positive_rate(positives, negatives, Fraction(fpr))
            assert found.true_positive_rate(float(fpr)) == expected, (seed, fpr)
            between += 0 < expected < 1
    assert between > 100  # the cases are worth something


def test_the_curve_is_the_definition_at_every_rate() -> None:
    for seed in range(10):
        matrix, query, gallery = random_case(seed)
        distances = oracles_verification.pairs(matrix.tolist(), query=pairs(query), gallery=pairs(gallery))
        total = len(distances[1])
        for largest in (Fraction(0), Fraction(total // 3, total), Fraction(1)):
            found = verified(matrix, query, gallery, largest_fpr=float(largest) + 1e-9 * (largest < 1))
            false, true = found.curve()
            accepted = [Fraction(rate * total).limit_denominator(1) for rate in false.tolist()]
            assert accepted[0] == 0
            assert accepted == sorted(set(accepted))
            assert accepted[-1] == largest * total
            assert len(accepted) <= len(distances[0]) + 2
            for number in range(int(largest * total) + 1):
                corner = max(k for k, at in enumerate(accepted) if at <= number)
                expected = oracles_verification.true_positive_rate(*distances, Fraction(number, total))
                assert true[corner] == expected, (seed, number)


def test_by_hand() -> None:
    found = by_distances([1.0, 2.0, 4.0, 6.0], [3.0, 5.0, 7.0, 8.0], largest_fpr=0.5)
    assert found.true_positive_rate(0) == 0.5  # a threshold in [2, 3)
    assert found.true_positive_rate(0.25) == 0.75  # in [4, 5)
    assert found.true_positive_rate(0.49) == 0.75  # floor(1.96)
    assert found.true_positive_rate(0.5) == 1.0  # in [6, 7)
    false, true = found.curve()
    assert false.tolist() == [0, 0.25, 0.5]
    assert true.tolist() == [0.5, 0.75, 1.0]


def test_a_threshold_accepts_all_equal_distances() -> None:
    """At 2.0 come one matching and two other pairs, together or not at all."""
    found = by_distances([1.0, 2.0, 3.0, 9.0], [2.0, 2.0, 5.0, 6.0], largest_fpr=1)
    assert found.true_positive_rate(0.25) == 0.25  # the two come together, and one is allowed
    assert found.true_positive_rate(0.5) == 0.75
    assert found.true_positive_rate(1) == 1.0
    false, true = found.curve()
    assert false.tolist() == [0, 0.5, 1.0]
    assert true.tolist() == [0.25, 0.75, 1.0]


def test_a_rate_is_the_decimal_it_is_written_as() -> None:
    """In binary, 0.29 · 100 is 28.999…"""
    found = by_distances([28.5], [float(k) for k in range(100)], largest_fpr=0.29)
    assert found.true_positive_rate(0.29) == 1.0
    assert found.true_positive_rate(0.289) == 0.0


def test_junk_and_the_own_camera_make_no_pair() -> None:
    # gallery: identity 1 by the query's camera, junk, 1 by another camera, 2 by the query's, a distractor
    gallery = labels([1, -1, 1, 2, 0], [0, 1, 1, 0, 2])
    matrix = torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5]])
    found = verified(matrix, labels([1], [0]), gallery, largest_fpr=1)
    assert found.positives.tolist() == matrix[0, [2]].tolist()
    assert found.nearest_negatives.tolist() == matrix[0, 3:].tolist()
    kept = verified(matrix, labels([1], [0]), gallery, largest_fpr=1, same_camera="keep")
    assert kept.positives.tolist() == matrix[0, [0, 2]].tolist()
    assert kept.negatives == 2


@pytest.mark.parametrize("order", ["random", "falling", "rising", "equal"])
@pytest.mark.parametrize("largest_fpr", [0, 1e-3, 0.02, 0.6])
def test_the_nearest_are_kept_in_any_order(order: str, largest_fpr: float) -> None:
    distances = np.random.default_rng(0).permutation(200 * 50).astype(np.float32)
    if order == "equal":
        distances[:] = 7
    elif order != "random":
        distances = np.sort(distances)[:: -1 if order == "falling" else 1].copy()
    matrix = torch.from_numpy(distances.reshape(200, 50))
    query, gallery = labels([*range(200)]), labels([0, *[999] * 49], [1] * 50)  # one pair matches
    found = verified(matrix, query, gallery, largest_fpr=largest_fpr, block=7)
    negatives = np.sort(np.r_[distances[1:50], distances[50:]])
    assert found.negatives == len(negatives) == 9999
    kept = {0: 1, 1e-3: 9 + 1, 0.02: 199 + 1, 0.6: 5999 + 1}[largest_fpr]  # floor(fpr · 9999), and one more
    assert found.nearest_negatives.tolist() == negatives[:kept].tolist()


def test_block_size_changes_nothing() -> None:
    for seed in range(20):
        case = random_case(seed)
        whole = verified(*case, largest_fpr=0.2)
        for block in (1, 2, 5, 1000):
            part = verified(*case, largest_fpr=0.2, block=block)
            assert torch.equal(part.positives, whole.positives)
            assert torch.equal(part.nearest_negatives, whole.nearest_negatives)


def test_a_stored_matrix_is_not_written_on() -> None:
    matrix = torch.tensor([[1.0, 2.0, 3.0]])
    sides = features(torch.zeros(1, 1)), labels([5]), features(torch.zeros(3, 1)), labels([-1, 5, 6], [1] * 3)
    verify(*sides, distance=lambda q, g: matrix)
    assert matrix.tolist() == [[1.0, 2.0, 3.0]]


def test_a_larger_rate_than_was_asked_for_is_refused() -> None:
    found = by_distances([1.0], [float(k) for k in range(50)], largest_fpr=0.1)
    assert found.true_positive_rate(0.11) == 1.0  # floor(5.5) is what was asked for
    with pytest.raises(ValueError, match=r"fpr=0.2 allows 10 of 50 .* up to 5: verify with largest_fpr=0.2"):
        found.true_positive_rate(0.2)


@pytest.mark.parametrize("fpr", [-0.1, 1.5, float("nan")])
def test_rates_are_from_0_to_1(fpr: float) -> None:
    with pytest.raises(ValueError, match=f"fpr={fpr}"):
        by_distances([1.0], [2.0], largest_fpr=fpr)
    with pytest.raises(ValueError, match=f"fpr={fpr}"):
        by_distances([1.0], [2.0]).true_positive_rate(fpr)


def test_both_kinds_of_pairs_are_needed() -> None:
    with pytest.raises(ValueError, match="0 matching and 1 other"):
        verified(torch.zeros(1, 2), labels([1]), labels([1, 2]))  # the match is by the query's own camera
    with pytest.raises(ValueError, match="1 matching and 0 other"):
        verified(torch.zeros(1, 2), labels([1]), labels([1, -1], [1, 1]))


def test_nonsense_is_refused() -> None:
    matrix, query, gallery = random_case(0)
    with pytest.raises(ValueError, match="'exclude', 'keep'"):
        verified(matrix, query, gallery, same_camera="drop")
    with pytest.raises(ValueError, match="block=0"):
        verified(matrix, query, gallery, block=0)
    two, three = features(torch.zeros(2, 1)), features(torch.zeros(3, 1))
    with pytest.raises(ValueError, match="gallery has 3 embeddings, 2 identities"):
        verify(two, labels([1, 2]), three, labels([1, 2]), distance=EuclideanDistance())
