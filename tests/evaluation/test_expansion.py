"""Average query expansion against its formula, by hand, and where it must change nothing."""

import oracles_expansion
import pytest
import torch
from torch import Tensor

from reid.contracts import Distance, Features
from reid.evaluation import EuclideanDistance, LocalDistance, ReRanking, expand_queries


def features(embedding: Tensor) -> Features:
    return Features(embedding=embedding, pooled=embedding)


def exact(query: Features, gallery: Features) -> Tensor:
    """Squared Euclidean distance, without rounding for small whole numbers."""
    return (query.embedding[:, None] - gallery.embedding[None]).square().sum(2)


def sides(seed: int, *, queries: int = 7, images: int = 30) -> tuple[Features, Features]:
    """Whole numbers: distances are exact, and often equal."""
    g = torch.Generator().manual_seed(seed)
    return tuple(features(torch.randint(-2, 3, (n, 4), generator=g).float()) for n in (queries, images))


def by_definition(query: Tensor, gallery: Tensor, distances: Tensor, k: int, *, junk: Tensor) -> Tensor:
    """The oracle's answer for all queries, for embeddings of any shape."""
    rows = [
        oracles_expansion.expanded(
            one.flatten().tolist(),
            gallery.flatten(1).tolist(),
            distances=theirs.tolist(),
            k=k,
            junk=junk.nonzero().flatten().tolist(),
        )
        for one, theirs in zip(query, distances, strict=True)
    ]
    return torch.tensor(rows).view_as(query)


@pytest.mark.parametrize("k", [1, 2, 5, 29, 30, 100])
def test_equals_the_formula(k: int) -> None:
    for seed in range(20):
        query, gallery = sides(seed)
        junk = torch.rand(30, generator=torch.Generator().manual_seed(seed)) < 0.3
        for some in (None, junk):
            expected = by_definition(
                query.embedding,
                gallery.embedding,
                exact(query, gallery),
                k,
                junk=torch.zeros(30, dtype=torch.bool) if some is None else some,
            )
            found = expand_queries(query, gallery, distance=exact, k=k, junk=some, block=3)
            torch.testing.assert_close(found.embedding, expected, rtol=0, atol=1e-6)
            assert found.pooled is found.embedding


def test_by_hand() -> None:
    """Of the two as near, the earlier row counts; the nearest is junk."""
    query = features(torch.tensor([[0.0, 0.0]]))
    gallery = features(torch.tensor([[9.0, 9.0], [0.0, 2.0], [2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    junk = torch.tensor([False, False, False, False, True])
    found = expand_queries(query, gallery, distance=exact, k=2, junk=junk)
    assert found.embedding.tolist() == [[0.0, 1.0]]  # (0, 0), (0, 1) and (0, 2)


def test_stripes_and_pooled_are_averaged_over_the_same_images() -> None:
    g = torch.Generator().manual_seed(0)
    query, gallery = (
        Features(
            embedding=torch.randn(n, 4, generator=g),
            pooled=torch.randn(n, 6, generator=g),
            logits=torch.randn(n, 9, generator=g),
            stripes=torch.randn(n, 3, 5, generator=g),
            attributes={"color": torch.randn(n, 2, generator=g)},
        )
        for n in (6, 40)
    )
    found = expand_queries(query, gallery, distance=LocalDistance(), k=3)
    distances = LocalDistance()(query, gallery)
    for name in ("embedding", "pooled", "stripes"):
        one, other = getattr(query, name), getattr(gallery, name)
        expected = by_definition(one, other, distances, 3, junk=torch.zeros(40, dtype=torch.bool))
        torch.testing.assert_close(getattr(found, name), expected, rtol=0, atol=1e-6)
    assert found.logits is query.logits
    assert found.attributes is query.attributes


def test_inputs_are_left_as_they_were() -> None:
    query, gallery = sides(0)
    before = query.embedding.clone(), gallery.embedding.clone()
    expand_queries(query, gallery, distance=exact, k=4)
    assert torch.equal(query.embedding, before[0])
    assert torch.equal(gallery.embedding, before[1])


def test_nothing_to_add_returns_the_query() -> None:
    query, gallery = sides(0)
    assert expand_queries(query, gallery, distance=exact, k=0) is query
    everything = torch.ones(30, dtype=torch.bool)
    assert expand_queries(query, gallery, distance=exact, k=3, junk=everything) is query


def test_half_precision_is_averaged_in_float32() -> None:
    query, gallery = (
        features(torch.tensor([[2048.0]]).half()),
        features(torch.tensor([[2049.0], [2050.0]]).half()),
    )
    found = expand_queries(query, gallery, distance=EuclideanDistance(), k=2)
    # float16 has no 2049: it is stored as 2048
    assert found.embedding.dtype == torch.float32
    assert found.embedding.item() == pytest.approx((2048 + 2048 + 2050) / 3, abs=1e-3)


def test_reranking_takes_expanded_queries() -> None:
    query, gallery = sides(0)
    wider = expand_queries(query, gallery, distance=exact, k=3)
    reranking = ReRanking(wider, gallery, distance=exact)
    assert reranking(reranking.query, gallery).shape == (7, 30)


@pytest.mark.parametrize("distance", [exact, EuclideanDistance()], ids=["exact", "euclidean"])
def test_nonsense_is_refused(distance: Distance) -> None:
    query, gallery = sides(0)
    with pytest.raises(ValueError, match="k=-1"):
        expand_queries(query, gallery, distance=distance, k=-1)
    with pytest.raises(ValueError, match=r"junk is torch.int64 of shape \(30,\)"):
        expand_queries(query, gallery, distance=distance, k=1, junk=torch.zeros(30, dtype=torch.int64))
    with pytest.raises(ValueError, match="block=0"):
        expand_queries(query, gallery, distance=distance, k=1, block=0)
