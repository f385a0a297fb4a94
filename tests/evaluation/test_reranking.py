"""Re-ranking against the paper's text on a dense matrix, a case by hand, and through the search itself."""

import math

import numpy as np
import oracles
import oracles_reranking
import pytest
import torch
from torch import Tensor

from reid.contracts import Distance, Features, Labels
from reid.evaluation import (
    CosineDistance,
    EuclideanDistance,
    ReRanking,
    neighbours,
    rank,
    retrieval_metrics,
    rows,
)


def features(embedding: Tensor) -> Features:
    return Features(embedding=embedding, pooled=embedding)


def exact(query: Features, gallery: Features) -> Tensor:
    """Squared Euclidean distance, without rounding for small whole numbers."""
    return (query.embedding[:, None] - gallery.embedding[None]).square().sum(2)


def clustered(images: int, *, seed: int, whole: bool = False, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """(N, 8) embeddings around (N,) identities, some eight images each."""
    g = torch.Generator().manual_seed(seed)
    identity = torch.randint(0, max(1, images // 8), (images,), generator=g)
    embedding = (
        spread * torch.randn(images, 8, generator=g) + 2 * torch.randn(images, 8, generator=g)[identity]
    )
    return embedding.round() if whole else embedding, identity


def split(embedding: Tensor, queries: int) -> tuple[Features, Features]:
    return features(embedding[:queries]), features(embedding[queries:])


def final(query: Features, gallery: Features, distance: Distance, **options: object) -> Tensor:
    reranking = ReRanking(query, gallery, distance=distance, **options)
    return reranking(reranking.query, gallery)


def all_pairs(embedding: Tensor, distance: Distance = exact) -> np.ndarray:
    everyone = features(embedding.double())
    return distance(everyone, everyone).numpy()


def assert_equal(found: Tensor, expected: np.ndarray) -> None:
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize(
    ("queries", "images", "k1", "k2", "weight"),
    [
        (12, 200, 20, 6, 0.3),  # as published
        (5, 120, 7, 3, 0.0),  # round(7 / 2) = 4
        (30, 90, 5, 1, 0.1),  # round(5 / 2) = 2; nothing is averaged
        (40, 41, 4, 9, 0.9),  # one gallery image; more are averaged than are neighbours
        (1, 60, 1, 2, 1.0),  # the original distance alone
        (3, 9, 20, 6, 0.3),  # fewer images than neighbours
        (2, 4, 3, 20, 0.5),  # exactly k1 + 1 images, and fewer than are averaged
    ],
)
def test_equals_the_paper(queries: int, images: int, k1: int, k2: int, weight: float, square: bool) -> None:
    options = {"k1": k1, "k2": k2, "weight": weight, "square": square}
    for seed, spread in ((0, 1.0), (1, 0.5), (2, 3.0)):
        embedding, _ = clustered(images, seed=seed, spread=spread)
        expected = oracles_reranking.reranked(all_pairs(embedding), queries, **options)
        assert_equal(final(*split(embedding, queries), exact, **options), expected)


@pytest.mark.parametrize("square", [False, True])
def test_ties_rank_by_row(square: bool) -> None:
    """Whole numbers: distances are exact, often equal, and often zero."""
    for seed, spread in ((0, 0.3), (1, 0.6), (2, 1.0)):
        embedding, _ = clustered(150, seed=seed, whole=True, spread=spread)
        for k1, k2 in ((20, 6), (4, 3), (4, 1)):  # an image may have more copies than neighbours
            options = {"k1": k1, "k2": k2, "square": square}
            expected = oracles_reranking.reranked(all_pairs(embedding), 20, **options)
            assert_equal(final(*split(embedding, 20), exact, **options), expected)


@pytest.mark.parametrize(
    "distance", [EuclideanDistance(), EuclideanDistance(normalize=True), CosineDistance()], ids=str
)
def test_any_distance_can_be_the_original(distance: Distance) -> None:
    embedding, _ = clustered(250, seed=3)
    unit = torch.nn.functional.normalize(embedding.double())
    pairs = all_pairs(embedding if distance == EuclideanDistance() else unit)
    if distance == CosineDistance():
        pairs = pairs / 2
    assert_equal(final(*split(embedding, 25), distance), oracles_reranking.reranked(pairs, 25))


def test_stripes_reach_the_distance() -> None:
    stripes = torch.randn(60, 4, 3, generator=torch.Generator().manual_seed(0))
    query, gallery = (
        Features(embedding=part[:, :, 0], pooled=part[:, :1, 0], stripes=part)
        for part in stripes.split([10, 50])
    )

    def local(one: Features, other: Features) -> Tensor:
        assert one.stripes is not None
        assert other.stripes is not None
        return exact(features(one.stripes.flatten(1)), features(other.stripes.flatten(1)))

    assert_equal(final(query, gallery, local), oracles_reranking.reranked(all_pairs(stripes.flatten(1)), 10))


def test_by_hand() -> None:
    """k1 = 1, k2 = 1: the query at 0 and its neighbour at 1 have each other, and 10 and 12 do."""
    found = final(*split(torch.tensor([[0.0], [1.0], [10.0], [12.0]]), 1), exact, k1=1, k2=1)
    to_first, to_query = math.exp(-1 / 144), math.exp(-1 / 121)
    least = to_first / (1 + to_first) + to_query / (1 + to_query)
    jaccard = 1 - least / (2 - least)
    assert_equal(found, np.array([[0.7 * jaccard + 0.3 / 144, 0.7 + 0.3 * 100 / 144, 1.0]]))


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    embedding, _ = clustered(170, seed=4, whole=True)
    query, gallery = split(embedding, 30)
    whole = final(query, gallery, exact)
    for block in (5, 64, 1000):
        monkeypatch.setattr(neighbours, "SIDE", block)
        reranking = ReRanking(query, gallery, distance=exact)
        parts = [
            reranking(rows(reranking.query, slice(at, at + block)), gallery) for at in range(0, 30, block)
        ]
        assert torch.equal(torch.cat(parts), whole), block


def test_memory_changes_nothing_and_too_little_is_named() -> None:
    embedding, _ = clustered(170, seed=4, whole=True)
    query, gallery = split(embedding, 30)
    with pytest.raises(ValueError, match=r"memory=1 bytes .* give ([\d,]+) or more") as refused:
        ReRanking(query, gallery, distance=exact, memory=1)
    least = int(str(refused.value).split("give ")[1].split(" ")[0].replace(",", ""))
    for memory in (least, least + 64 * 2 * 15**2):
        assert torch.equal(
            final(query, gallery, exact, memory=memory), final(query, gallery, exact, memory=None)
        )


@pytest.mark.parametrize("side", [3, 30, 1024])
def test_neighbours_of_any_symmetric_distances(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random, tied, negative, and zeros of both signs; images have nothing in common."""
    monkeypatch.setattr(neighbours, "SIDE", side)
    g = torch.Generator().manual_seed(0)
    for levels in (2, 9, 100_000):
        matrix = (torch.randint(-levels, levels, (100, 100), generator=g) / 8.0).triu()
        matrix = matrix + matrix.triu(1).T
        matrix[matrix == 0] = -0.0
        matrix[:50][matrix[:50] == 0] = 0.0
        images = features(torch.arange(100)[:, None])

        def lookup(one: Features, other: Features, matrix: Tensor = matrix) -> Tensor:
            return matrix[one.embedding[:, 0]][:, other.embedding[:, 0]]

        nearest, farthest = neighbours.nearest_neighbours(images, lookup, 21, memory=10**8)
        assert nearest.tolist() == matrix.argsort(dim=1, stable=True)[:, :21].tolist()
        assert farthest.tolist() == matrix.amax(1).tolist()


def test_junk_is_nobody_s_neighbour() -> None:
    embedding, _ = clustered(200, seed=5)
    query, gallery = split(embedding, 20)
    junk = torch.rand(180, generator=torch.Generator().manual_seed(0)) < 0.3
    found = final(query, gallery, exact, junk=junk)
    without = final(query, features(gallery.embedding[~junk]), exact)
    torch.testing.assert_close(found[:, ~junk], without, rtol=0, atol=1e-6)
    assert (found[:, junk] >= 0.7).all()
    torch.testing.assert_close(
        final(query, gallery, exact, junk=torch.zeros_like(junk)), final(query, gallery, exact)
    )


@pytest.mark.parametrize("block", [8, 128])
def test_search_and_scores(block: int) -> None:
    embedding, identity = clustered(300, seed=6)
    camera = torch.arange(300) % 3
    identity[40::25] = -1  # junk in the gallery
    (query, gallery), junk = split(embedding, 40), identity[40:] == -1
    reranking = ReRanking(query, gallery, distance=EuclideanDistance(), junk=junk)
    ranking = rank(
        reranking.query,
        Labels(identity[:40], camera[:40]),
        reranking.gallery,
        Labels(identity[40:], camera[40:]),
        distance=reranking,
        top=5,
        block=block,
    )

    kept = torch.cat([torch.ones(40, dtype=torch.bool), ~junk])
    expected = oracles_reranking.reranked(all_pairs(embedding[kept]), 40)
    who = list(zip(identity[kept].tolist(), camera[kept].tolist(), strict=True))
    gallery_rows = junk.logical_not().nonzero()[:, 0].tolist()
    lists, nearest = [], []
    for one, distances in zip(who[:40], expected.tolist(), strict=True):
        order = oracles.ranked_gallery(distances, query=one, gallery=who[40:])
        lists.append(oracles.hits(order, query=one, gallery=who[40:]))
        nearest.append([gallery_rows[row] for row in order[:5]])
    scores = [oracles.average_precision(places) for places in lists if any(places)]
    metrics = retrieval_metrics(ranking, ranks=(1, 5))
    assert metrics["mAP"] == pytest.approx(sum(scores) / len(scores), abs=1e-6)
    assert [metrics["rank1"], metrics["rank5"]] == [oracles.cmc(lists, 5)[k] for k in (0, 4)]
    assert ranking.top.tolist() == nearest


def test_a_collapsed_network_is_ranked_by_row() -> None:
    found = final(features(torch.ones(2, 4)), features(torch.ones(50, 4)), exact, k1=3)
    assert found.isfinite().all()
    assert found.argsort(stable=True)[:, 0].tolist() == [0, 0]


def test_inputs_stay_as_they_were() -> None:
    embedding, _ = clustered(50, seed=7)
    matrix, before = exact(features(embedding), features(embedding)), embedding.clone()
    numbers = torch.arange(50)[:, None]

    def lookup(one: Features, other: Features) -> Tensor:
        if one.embedding is numbers and other.embedding is numbers:
            return matrix
        return matrix[one.embedding[:, 0]][:, other.embedding[:, 0]]

    stored = matrix.clone()
    final(*split(numbers, 5), lookup, square=True)
    final(*split(embedding, 5), exact)
    assert torch.equal(matrix, stored)
    assert torch.equal(embedding, before)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_not_finite_distances_are_refused(bad: float) -> None:
    embedding, _ = clustered(40, seed=8)
    embedding[17] = bad
    with pytest.raises(ValueError, match="NaN or infinite between some of 40 images"):
        final(*split(embedding, 5), exact)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k1": 0}, "k1=0"),
        ({"k2": 0}, "k2=0"),
        ({"memory": 1000}, r"memory=1,000 bytes .* 40 images with 20 neighbours each: give"),
        ({"weight": 1.5}, r"weight=1\.5"),
        ({"junk": torch.zeros(3, dtype=torch.bool)}, r"shape \(3,\).*35 gallery images"),
        ({"junk": torch.zeros(35)}, r"float32.*one bool"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        final(*split(clustered(40, seed=9)[0], 5), exact, **options)


def test_other_features_than_the_graph_s_are_refused() -> None:
    query, gallery = split(clustered(40, seed=10)[0], 5)
    reranking = ReRanking(query, gallery, distance=exact)
    for one, other in ((query, gallery), (reranking.query, features(gallery.embedding))):
        with pytest.raises(ValueError, match=r"rank\(reranking\.query"):
            reranking(one, other)
