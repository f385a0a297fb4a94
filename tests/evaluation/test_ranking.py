"""Ranking and metrics against the definitions, worked examples, and the ways to ask for nonsense."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import oracles
import pytest
import torch
from torch import Tensor

from reid.contracts import Features, Labels
from reid.evaluation import (
    EuclideanDistance,
    Ranking,
    average_precision,
    cmc,
    inverse_negative_penalty,
    progress,
    rank,
    ranking,
    retrieval_metrics,
    rows,
)


def features(embedding: Tensor) -> Features:
    return Features(embedding=embedding, pooled=embedding)


def labels(identity: Sequence[int], camera: Sequence[int] | None = None) -> Labels:
    return Labels(torch.tensor(identity), torch.tensor(camera if camera is not None else [0] * len(identity)))


@dataclass(frozen=True)
class Case:
    """A matrix of distances and who is on its two sides."""

    matrix: Tensor  # (Nq, Ng) float32
    query: Labels
    gallery: Labels

    def rank(self, *, top: int = 0, same_camera: str = "exclude", **options: int) -> Ranking:
        """Features are row numbers here, and their distance looks the matrix up."""
        query, gallery = (features(torch.arange(float(n))[:, None]) for n in self.matrix.shape)

        def lookup(q: Features, g: Features) -> Tensor:
            return self.matrix[q.embedding[:, 0].long()][:, g.embedding[:, 0].long()]

        return rank(
            query,
            self.query,
            gallery,
            self.gallery,
            distance=lookup,
            top=top,
            same_camera=same_camera,
            **options,
        )

    def orders(self, *, same_camera: str = "exclude") -> list[list[int]]:
        gallery = pairs(self.gallery)
        return [
            oracles.ranked_gallery(distances, query=query, gallery=gallery, same_camera=same_camera)
            for distances, query in zip(self.matrix.tolist(), pairs(self.query), strict=True)
        ]

    def hits(self, *, same_camera: str = "exclude") -> list[list[bool]]:
        gallery = pairs(self.gallery)
        return [
            oracles.hits(order, query=query, gallery=gallery)
            for order, query in zip(self.orders(same_camera=same_camera), pairs(self.query), strict=True)
        ]


def pairs(side: Labels) -> list[tuple[int, int]]:
    return list(zip(side.identity.tolist(), side.camera.tolist(), strict=True))


def random_case(seed: int) -> Case:
    """Few levels of distance, so ties everywhere; junk, unknown cameras, queries without a match."""
    g = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=g)

    queries, images, levels = int(draw(1, 12)), int(draw(1, 60)), int(draw(1, 12))
    return Case(
        matrix=draw(-levels, levels, queries, images) / 4.0,
        query=Labels(draw(1, 8, queries), draw(-1, 3, queries)),
        gallery=Labels(draw(-1, 6, images), draw(-1, 3, images)),
    )


def places(*hits: int) -> Ranking:
    """One query, and the places (from 1) at which its gallery of ten matches."""
    identity = [7 if k + 1 in hits else 1 for k in range(10)]
    return Case(torch.arange(10.0)[None], labels([7]), labels(identity, [1] * 10)).rank()


@pytest.mark.parametrize("same_camera", ["exclude", "keep"])
@pytest.mark.parametrize("hundred", range(3))
def test_equals_the_definitions(hundred: int, same_camera: str) -> None:
    scored = 0
    for seed in range(100 * hundred, 100 * hundred + 100):
        case = random_case(seed)
        ranking = case.rank(same_camera=same_camera)
        hits = case.hits(same_camera=same_camera)
        found = [[k for k, hit in enumerate(places) if hit] for places in hits]
        assert ranking.ranks.tolist() == [k for ranks in found for k in ranks], seed
        assert ranking.positives.tolist() == [len(ranks) for ranks in found], seed
        if not any(found):
            continue
        scored += 1
        matched = torch.tensor([bool(ranks) for ranks in found])
        assert cmc(ranking, 70).tolist() == oracles.cmc(hits, 70), seed
        for score, definition in (
            (average_precision(ranking), oracles.average_precision),
            (average_precision(ranking, rule="trapezoid"), oracles.average_precision_trapezoid),
            (inverse_negative_penalty(ranking), oracles.inverse_negative_penalty),
        ):
            assert score.isnan().tolist() == (~matched).tolist(), seed
            expected = [definition(places) for places in hits if any(places)]
            assert score[matched].tolist() == pytest.approx(expected, abs=1e-12, rel=0), seed
    assert scored > 80  # the cases are worth something


@pytest.mark.parametrize("same_camera", ["exclude", "keep"])
def test_ranked_lists_equal_the_definition(same_camera: str) -> None:
    for seed in range(150):
        case, k = random_case(seed), 1 + seed % 20
        ranking = case.rank(top=k, same_camera=same_camera)
        for q, order in enumerate(case.orders(same_camera=same_camera)):
            nearest = order[:k]
            missing = k - len(nearest)
            hits = case.gallery.identity[nearest] == case.query.identity[q]
            distances = case.matrix[q, nearest]
            assert ranking.top[q].tolist() == nearest + [-1] * missing, seed
            assert ranking.matches[q].tolist() == hits.tolist() + [False] * missing, seed
            assert ranking.top_distance[q].tolist() == distances.tolist() + [math.inf] * missing, seed


def test_block_size_changes_nothing() -> None:
    for seed in range(50):
        case = random_case(seed)
        whole = case.rank(top=7)
        for block in (1, 2, 5, 1000):
            part = case.rank(top=7, block=block)
            for name in ("ranks", "offsets", "top", "top_distance"):
                assert torch.equal(getattr(part, name), getattr(whole, name)), (seed, block, name)


def test_memory_changes_nothing_and_too_little_is_named() -> None:
    """The message names the least that is enough: one query at a time."""
    for seed in range(20):
        case = random_case(seed)
        with pytest.raises(ValueError, match=r"memory=1 bytes .* give ([\d,]+) or more") as refused:
            case.rank(top=3, memory=1)
        least = int(str(refused.value).split("give ")[1].split(" ")[0].replace(",", ""))
        with pytest.raises(ValueError, match=f"memory={least - 1:,}"):
            case.rank(top=3, memory=least - 1)
        whole = case.rank(top=3)
        for memory in (least, least + 3 * 4 * case.matrix.shape[1], 10 * least):
            part = case.rank(top=3, memory=memory)
            assert torch.equal(part.ranks, whole.ranks), (seed, memory)
            assert torch.equal(part.top, whole.top), (seed, memory)


def test_memory_decides_how_many_queries_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    sizes = []

    def distance(q: Features, g: Features) -> Tensor:
        sizes.append(len(q.embedding))
        return q.embedding @ g.embedding.T

    sides = features(torch.ones(10, 1)), labels([1] * 10), features(torch.ones(2_000, 1)), labels([1] * 2_000)
    rank(*sides, distance=distance, same_camera="keep")
    with pytest.raises(ValueError, match="give") as refused:
        rank(*sides, distance=distance, same_camera="keep", memory=1)
    least = int(str(refused.value).split("give ")[1].split(" ")[0].replace(",", ""))
    rank(*sides, distance=distance, same_camera="keep", memory=least + 3 * 8_000)
    rank(*sides, distance=distance, same_camera="keep", block=6)
    assert sizes == [10, 3, 3, 4, 5, 5], "as even as can be"


def test_lists_of_a_wide_gallery() -> None:
    """Wide enough for the first look at every 32nd column's least; many are tied, ignored or junk."""
    g = torch.Generator().manual_seed(0)
    for levels in (3, 100, 100_000):
        case = Case(
            torch.randint(0, levels, (20, 4_000), generator=g) / 8.0,
            Labels(torch.arange(20) % 7, torch.arange(20) % 3),
            Labels(torch.randint(-1, 12, (4_000,), generator=g), torch.randint(-1, 3, (4_000,), generator=g)),
        )
        case.matrix[:, case.gallery.identity == -1] -= levels / 16  # junk is near
        case.matrix[:5] += 1e5 * (case.gallery.identity >= 7)  # matches come first
        for k in (1, 10, 200):
            ranking = case.rank(top=k)
            assert ranking.top.tolist() == [order[:k] for order in case.orders()]
        assert ranking.ranks.tolist() == [k for row in case.hits() for k, hit in enumerate(row) if hit]


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)  # would outlive the test
    for seed in range(30):
        case = random_case(seed)
        for threads in (1, 2, 5):
            monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
            ranking = case.rank(top=5, block=2)
            if threads == 1:
                alone = ranking
            assert torch.equal(ranking.ranks, alone.ranks), seed
            assert torch.equal(ranking.top, alone.top), seed


def test_long_work_says_how_long(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case(3)
    with caplog.at_level("INFO"):
        case.rank(block=1)
        assert not caplog.messages
        monkeypatch.setattr(progress, "LONG", -1.0)
        monkeypatch.setattr(progress, "SOON", -1.0)
        case.rank(block=1)
    queries, images = case.matrix.shape
    assert caplog.messages == [f"ranking {queries} queries x {images} images: about 0 s"]


def test_distances_of_features_are_ranked() -> None:
    """Whole numbers keep the distances exact, however the matrix product is blocked."""
    g = torch.Generator().manual_seed(0)
    query, gallery = (torch.randint(-2, 3, (n, 8), generator=g).float() for n in (60, 400))
    case = Case(
        -(query[:, None] * gallery[None]).sum(2),
        Labels(torch.randint(0, 20, (60,), generator=g), torch.randint(0, 4, (60,), generator=g)),
        Labels(torch.randint(-1, 20, (400,), generator=g), torch.randint(0, 4, (400,), generator=g)),
    )
    found = rank(
        features(query),
        case.query,
        features(gallery),
        case.gallery,
        distance=lambda q, g: -q.embedding @ g.embedding.T,
        block=16,
    )
    assert found.ranks.tolist() == [k for places in case.hits() for k, hit in enumerate(places) if hit]


def test_a_stored_matrix_is_not_written_on() -> None:
    matrix = torch.tensor([[1.0, 2.0, 3.0]])
    rank(
        features(torch.zeros(1, 1)),
        labels([5]),
        features(torch.zeros(3, 1)),
        labels([-1, 5, 5], [1, 0, 1]),
        distance=lambda q, g: matrix,
    )
    assert matrix.tolist() == [[1.0, 2.0, 3.0]]


def test_the_survey_s_two_lists() -> None:
    """Ye et al. 2021, the figure that introduces INP: equal CMC, higher AP, and yet a harder last match."""
    easy, hard = places(1, 2, 10), places(1, 4, 5)
    assert round(average_precision(easy).item(), 2) == 0.77
    assert round(average_precision(hard).item(), 2) == 0.70
    assert inverse_negative_penalty(easy).item() == pytest.approx(0.3)
    assert inverse_negative_penalty(hard).item() == pytest.approx(0.6)


def test_both_rules_by_hand() -> None:
    ranking = places(1, 4, 5)
    assert average_precision(ranking).item() == pytest.approx((1 + 2 / 4 + 3 / 5) / 3)
    # (1 before the list + 1) / 2, (1/3 + 2/4) / 2, (2/4 + 3/5) / 2
    by_hand = (1 + 5 / 12 + 11 / 20) / 3
    assert average_precision(ranking, rule="trapezoid").item() == pytest.approx(by_hand)


def test_a_table_row_by_hand() -> None:
    # gallery: identity 1 by camera 0, junk, 2, 1 by another camera, a distractor, 1 by a third
    case = Case(
        matrix=torch.tensor(
            [
                [0.1, 0.0, 0.3, 0.2, 0.4, 0.5],  # own camera and junk go: matches at places 1 and 4
                [0.5, 0.0, 0.2, 0.3, 0.1, 0.4],  # junk goes: match at place 2
                [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],  # no match: skipped
            ]
        ),
        query=labels([1, 2, 9]),
        gallery=labels([1, -1, 2, 1, 0, 1], [0, 1, 1, 3, 0, 2]),
    )
    assert retrieval_metrics(case.rank(), ranks=(1, 2, 20)) == pytest.approx(
        {
            "mAP": ((1 / 1 + 2 / 4) / 2 + 1 / 2) / 2,
            "mINP": (2 / 4 + 1 / 2) / 2,
            "rank1": 0.5,
            "rank2": 1.0,
            "rank20": 1.0,
            "queries": 3,
            "queries_skipped": 1,
            "gallery": 5,
        }
    )


def test_the_curve_outlives_a_small_gallery() -> None:
    case = Case(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), labels([1, 1]), labels([1, 2], [1, 1]))
    assert cmc(case.rank(), 5).tolist() == [0.5, 1.0, 1.0, 1.0, 1.0]


def test_no_match_at_all_says_why() -> None:
    one_camera = Case(torch.zeros(2, 2), labels([1, 2]), labels([1, 2]))
    with pytest.raises(ValueError, match="same_camera='keep'"):
        retrieval_metrics(one_camera.rank())
    assert retrieval_metrics(one_camera.rank(same_camera="keep"))["rank5"] == 1.0


def test_not_finite_distances_are_refused() -> None:
    gallery = torch.zeros(5, 2)
    gallery[[1, 3]] = torch.nan
    with pytest.raises(ValueError, match=r"2 of 2 queries.* 0 queries and 2 gallery images"):
        rank(
            features(torch.zeros(2, 2)),
            labels([1, 2]),
            features(gallery),
            labels([1, 2, 3, 4, 5]),
            distance=EuclideanDistance(),
        )


def test_large_distances_are_not_mistaken_for_infinite_ones() -> None:
    case = Case(torch.tensor([[3e38, 2e38, 3e38]]), labels([1]), labels([1, 2, 1], [1, 1, 1]))
    assert case.rank().ranks.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"same_camera": "drop"}, "'exclude', 'keep'"),
        ({"block": 0}, "block=0"),
        ({"top": -1}, "top=-1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_case(0).rank(**options)


def test_labels_and_distances_must_fit() -> None:
    two, three = features(torch.zeros(2, 1)), features(torch.zeros(3, 1))
    with pytest.raises(ValueError, match="gallery has 3 embeddings, 2 identities"):
        rank(two, labels([1, 2]), three, labels([1, 2]), distance=EuclideanDistance())
    with pytest.raises(ValueError, match=r"\(3, 2\).*\(2, 3\)"):
        rank(two, labels([1, 2]), three, labels([1, 2, 3]), distance=lambda q, g: torch.zeros(3, 2))


def test_metrics_refuse_what_they_do_not_know() -> None:
    ranking = places(1)
    with pytest.raises(ValueError, match="'rectangle', 'trapezoid'"):
        average_precision(ranking, rule="simpson")
    with pytest.raises(ValueError, match="max_rank=0"):
        cmc(ranking, 0)


def test_rows_are_views_of_every_field() -> None:
    images = Features(
        embedding=torch.rand(4, 2),
        pooled=torch.rand(4, 3),
        logits=torch.rand(4, 5),
        stripes=torch.rand(4, 6, 7),
        attributes={"color": torch.rand(4, 8)},
    )
    some = rows(images, slice(1, 3))
    for name in ("embedding", "pooled", "logits", "stripes"):
        assert torch.equal(getattr(some, name), getattr(images, name)[1:3])
    assert torch.equal(some.attributes["color"], images.attributes["color"][1:3])
    assert some.embedding.data_ptr() == images.embedding[1:].data_ptr()
    assert rows(features(torch.rand(4, 2)), slice(0, 1)).logits is None


def test_a_camera_that_is_not_known_is_nobodys_own() -> None:
    case = Case(torch.tensor([[0.1, 0.2]]), labels([1], [-1]), labels([1, 1], [-1, 0]))
    assert case.rank().ranks.tolist() == [0, 1]


def test_a_machine_of_many_cores_needs_no_memory_option(monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case(1)
    expected = case.rank().ranks
    monkeypatch.setattr(ranking, "MEMORY", 1)
    assert torch.equal(case.rank().ranks, expected)
