"""Single-shot galleries against the protocol's text: with the same draws, and in expectation over all."""

from collections.abc import Sequence

import numpy as np
import oracles_single_shot
import pytest
import torch
from torch import Tensor

from reid.contracts import Features, Labels
from reid.evaluation import EuclideanDistance, rank, retrieval_metrics, single_shot_metrics


def features(embedding: Tensor) -> Features:
    return Features(embedding=embedding, pooled=embedding)


def labels(identity: Sequence[int], camera: Sequence[int] | None = None) -> Labels:
    return Labels(torch.tensor(identity), torch.tensor(camera if camera is not None else [0] * len(identity)))


def pairs(side: Labels) -> list[tuple[int, int]]:
    return list(zip(side.identity.tolist(), side.camera.tolist(), strict=True))


def scored(matrix: Tensor, query: Labels, gallery: Labels, **options: object) -> dict[str, float]:
    """Features are row numbers here, and their distance looks the matrix up."""
    sides = [features(torch.arange(float(n))[:, None]) for n in matrix.shape]

    def lookup(q: Features, g: Features) -> Tensor:
        return matrix[q.embedding[:, 0].long()][:, g.embedding[:, 0].long()]

    return single_shot_metrics(sides[0], query, sides[1], gallery, distance=lookup, **options)


def random_case(seed: int, *, images: int = 60) -> tuple[Tensor, Labels, Labels]:
    """Few levels of distance, so ties everywhere; junk, distractors, unknown cameras, unmatched queries."""
    g = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=g)

    queries, levels = int(draw(2, 12)), int(draw(1, 12))
    query = Labels(draw(1, 9, queries), draw(-1, 3, queries))
    gallery = Labels(draw(-1, 7, images), draw(-1, 3, images))
    gallery.identity[0], gallery.camera[0] = query.identity[0], 5
    return draw(-levels, levels, queries, images) / 4.0, query, gallery


def places(
    case: tuple[Tensor, Labels, Labels], q: int, galleries: str | np.ndarray, **options: str
) -> list[int]:
    """The oracle's places of one query's match, if it has one: in galleries drawn by numbers, or in "all"."""
    matrix, query, gallery = case
    wanted = pairs(query)[q]
    rows = oracles_single_shot.left(query=wanted, gallery=pairs(gallery), **options)
    matches = rows.get(wanted[0], [])
    if not matches:
        return []
    drawn = (
        oracles_single_shot.all_galleries(rows)
        if isinstance(galleries, str)
        else oracles_single_shot.drawn_galleries(rows, galleries.tolist())
    )
    distances = matrix[q].tolist()
    return [oracles_single_shot.place(one, distances=distances, matches=matches) for one in drawn]


@pytest.mark.parametrize("same_camera", ["exclude", "keep"])
def test_equals_the_protocol_with_the_same_draws(same_camera: str) -> None:
    for seed in range(60):
        case = random_case(seed)
        repeats = 1 + seed % 7
        identities = len({identity for identity, _ in pairs(case[2])} - {-1})
        expected = [
            places(
                case,
                q,
                np.random.default_rng((seed, q)).random((repeats, identities)),
                same_camera=same_camera,
            )
            for q in range(len(case[1]))
        ]
        ranks = (1, 2, 5, 50)
        found = scored(*case, ranks=ranks, repeats=repeats, seed=seed, same_camera=same_camera, block=4)
        by_definition = oracles_single_shot.metrics([some for some in expected if some], ranks)
        assert found == pytest.approx(by_definition, abs=1e-12, rel=0), seed


def test_the_mean_over_many_is_that_over_all_galleries() -> None:
    for seed in range(5):
        case = random_case(seed, images=16)
        everything = [places(case, q, "all") for q in range(len(case[1]))]
        expected = oracles_single_shot.metrics([some for some in everything if some], (1, 3))
        # A mean of 10,000 or more numbers in [0, 1] has a standard deviation of 0.005 at most.
        assert scored(*case, ranks=(1, 3), repeats=10_000) == pytest.approx(expected, abs=0.025), seed


def test_by_hand_without_a_choice() -> None:
    # gallery: identity 1 by the query's camera, junk, 1 by another, a distractor, 3, 2 as far as the match
    gallery = labels([1, -1, 1, 0, 3, 2], [0, 1, 1, 0, 2, 1])
    matrix = torch.tensor([[0.0, 0.0, 0.5, 0.1, 0.9, 0.5], [0.0] * 6])
    found = scored(matrix, labels([1, 8], [0, 0]), gallery, ranks=(1, 2, 20), repeats=3)
    # Only the distractor is nearer; the equal one stands behind. Identity 8 has no match, and is skipped.
    assert found == {"mAP": 0.5, "rank1": 0.0, "rank2": 1.0, "rank20": 1.0}


def test_by_hand_with_a_choice() -> None:
    """Of its two images left, one is nearest and one is last of three: half the galleries each."""
    gallery = labels([1, 1, 1, 2, 3, 3], [0, 1, 2, 1, 1, 2])
    matrix = torch.tensor([[0.0, 0.1, 0.9, 0.2, 0.3, 0.4]])
    found = scored(matrix, labels([1]), gallery, ranks=(1, 2, 3), repeats=20_000)
    expected = {"mAP": (1 + 1 / 3) / 2, "rank1": 0.5, "rank2": 0.5, "rank3": 1.0}
    assert found == pytest.approx(expected, abs=0.02)


def test_one_image_an_identity_is_the_plain_ranking() -> None:
    g = torch.Generator().manual_seed(0)
    query, gallery = (features(torch.randn(n, 8, generator=g)) for n in (30, 50))
    sides = query, labels(list(range(30))), gallery, labels(list(range(50)), [1] * 50)
    plain = retrieval_metrics(rank(*sides, distance=EuclideanDistance()))
    single = single_shot_metrics(*sides, distance=EuclideanDistance(), repeats=2)
    assert single == pytest.approx(
        {name: plain[name] for name in ("mAP", "rank1", "rank5", "rank10", "rank20")}
    )


def test_blocks_and_other_queries_change_nothing() -> None:
    for seed in range(20):
        matrix, query, gallery = random_case(seed)
        whole = scored(matrix, query, gallery, repeats=5)
        for block in (1, 2, 5, 1000):
            assert scored(matrix, query, gallery, repeats=5, block=block) == whole
        first = Labels(query.identity[:1], query.camera[:1])
        unmatched = query.identity.clone()
        unmatched[1:] = 99
        alone = scored(matrix[:1], first, gallery, repeats=5)
        assert scored(matrix, Labels(unmatched, query.camera), gallery, repeats=5) == alone


def test_the_seed_decides_the_draw() -> None:
    case = random_case(3)
    assert scored(*case, seed=1) == scored(*case, seed=1)
    assert len({scored(*case, seed=seed)["mAP"] for seed in range(5)}) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 0}, "repeats=0"),
        ({"seed": -1}, "seed=-1"),
        ({"block": 0}, "block=0"),
        ({"ranks": (1, 0)}, r"ranks=\(1, 0\)"),
        ({"same_camera": "drop"}, "'exclude', 'keep'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scored(*random_case(0), **options)


def test_no_match_at_all_says_why() -> None:
    one_camera = torch.zeros(2, 2), labels([1, 2]), labels([1, 2])
    with pytest.raises(ValueError, match=r"none of 2 queries .* same_camera='keep'"):
        scored(*one_camera)
    assert scored(*one_camera, same_camera="keep")["rank5"] == 1.0


def test_labels_must_fit() -> None:
    with pytest.raises(ValueError, match="query has 2 embeddings, 1 identities"):
        scored(torch.zeros(2, 2), labels([1]), labels([1, 2]))
