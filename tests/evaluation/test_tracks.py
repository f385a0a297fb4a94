"""Image-to-track ranking against its definition in plain loops, an example by hand, and senseless tracks."""

import math
from collections.abc import Sequence

import oracles
import pytest
import torch
from torch import Tensor

from reid.contracts import Features, Labels
from reid.evaluation import Ranking, Tracks, average_precision, cmc, rank, retrieval_metrics


def features(count: int) -> Features:
    number = torch.arange(float(count))[:, None]
    return Features(embedding=number, pooled=number)


def ranked(
    matrix: Tensor, query: Labels, gallery: Labels, *, numbers: Sequence[int] | None, **options
) -> Ranking:
    """Features are row numbers here, and their distance looks the matrix up."""

    def lookup(q: Features, g: Features) -> Tensor:
        return matrix[q.embedding[:, 0].long()][:, g.embedding[:, 0].long()]

    return rank(
        features(len(query)),
        query,
        features(len(gallery)),
        gallery,
        distance=lookup,
        tracks=None if numbers is None else Tracks.of(numbers, gallery),
        **options,
    )


def random_case(seed: int) -> tuple[Tensor, Labels, Labels, list[int]]:
    """Few levels of distance, so ties everywhere; junk, unknown cameras; images of tracks are scattered."""
    g = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=g)

    queries, tracks, levels = int(draw(1, 12)), int(draw(1, 25)), int(draw(1, 12))
    identity, camera = draw(-1, 6, tracks), draw(-1, 3, tracks)
    number = torch.randperm(3 * tracks, generator=g)[:tracks]  # with gaps, and in no order
    of = torch.cat([torch.arange(tracks), draw(0, tracks, int(draw(0, 40)))])
    of = of[torch.randperm(len(of), generator=g)]
    return (
        draw(-levels, levels, queries, len(of)) / 4.0,
        Labels(draw(1, 8, queries), draw(-1, 3, queries)),
        Labels(identity[of], camera[of]),
        number[of].tolist(),
    )


def pairs(side: Labels) -> list[tuple[int, int]]:
    return list(zip(side.identity.tolist(), side.camera.tolist(), strict=True))


def definition(
    distances: Sequence[float], *, gallery: Sequence[tuple[int, int]], numbers: Sequence[int]
) -> tuple[list[float], list[tuple[int, int]], list[int]]:
    """Of each track, by number: the least distance, (identity, camera), and the image that is so near."""
    least, whose, nearest = [], [], []
    for number in sorted(set(numbers)):
        best = None
        for row in range(len(numbers)):
            if numbers[row] == number and (best is None or distances[row] < distances[best]):
                best = row
        assert best is not None
        least.append(distances[best])
        whose.append(gallery[best])
        nearest.append(best)
    return least, whose, nearest


@pytest.mark.parametrize("same_camera", ["exclude", "keep"])
def test_equals_the_definition(same_camera: str) -> None:
    scored = 0
    for seed in range(200):
        matrix, query, gallery, numbers = random_case(seed)
        k = 1 + seed % 9
        ranking = ranked(matrix, query, gallery, numbers=numbers, top=k, same_camera=same_camera)
        lists, found = [], []
        for q, (distances, own) in enumerate(zip(matrix.tolist(), pairs(query), strict=True)):
            least, whose, nearest = definition(distances, gallery=pairs(gallery), numbers=numbers)
            order = oracles.ranked_gallery(least, query=own, gallery=whose, same_camera=same_camera)
            hits = oracles.hits(order, query=own, gallery=whose)
            lists.append(hits)
            found += [place for place, hit in enumerate(hits) if hit]
            missing = k - len(order[:k])
            assert ranking.top[q].tolist() == [nearest[t] for t in order[:k]] + [-1] * missing, seed
            assert ranking.matches[q].tolist() == hits[:k] + [False] * missing, seed
            expected = [least[t] for t in order[:k]] + [math.inf] * missing
            assert ranking.top_distance[q].tolist() == expected, seed
        assert ranking.ranks.tolist() == found, seed
        tracks = {number: who[0] for number, who in zip(numbers, pairs(gallery), strict=True)}
        assert ranking.gallery_size == sum(identity != -1 for identity in tracks.values()), seed
        if any(map(any, lists)):
            scored += 1
            assert cmc(ranking, 30).tolist() == oracles.cmc(lists, 30), seed
            expected = [oracles.average_precision(hits) for hits in lists if any(hits)]
            score = average_precision(ranking)
            assert score[~score.isnan()].tolist() == pytest.approx(expected, abs=1e-12, rel=0), seed
    assert scored > 150


def test_tracks_of_one_image_each_are_images() -> None:
    for seed in range(60):
        matrix, query, gallery, _ = random_case(seed)
        images = ranked(matrix, query, gallery, numbers=None, top=7)
        tracks = ranked(matrix, query, gallery, numbers=range(100, 100 + len(gallery)), top=7)
        for name, value in vars(images).items():
            other = getattr(tracks, name)
            assert torch.equal(value, other) if isinstance(value, Tensor) else value == other, (seed, name)


def test_by_hand() -> None:
    # Query: vehicle 1, camera 0. Tracks: 7 is its own pass, 3 vehicle 2, 5 and 9 vehicle 1 elsewhere.
    numbers = [7, 3, 5, 3, 9, 5, 7]
    gallery = Labels(torch.tensor([1, 2, 1, 2, 1, 1, 1]), torch.tensor([0, 1, 1, 1, 2, 1, 0]))
    distances = torch.tensor([[0.0, 0.9, 0.8, 0.3, 0.5, 0.2, 0.1]])
    # Track 7 goes. Track 5 is at 0.2 (row 5), 3 at 0.3 (row 3), 9 at 0.5 (row 4): matches at places 1 and 3.
    ranking = ranked(distances, Labels(torch.tensor([1]), torch.tensor([0])), gallery, numbers=numbers, top=4)
    assert ranking.top.tolist() == [[5, 3, 4, -1]]
    assert ranking.matches.tolist() == [[True, False, True, False]]
    assert retrieval_metrics(ranking, ranks=(1, 5)) == pytest.approx(
        {
            "mAP": (1 / 1 + 2 / 3) / 2,
            "mINP": 2 / 3,
            "rank1": 1.0,
            "rank5": 1.0,
            "queries": 1,
            "queries_skipped": 0,
            "gallery": 4,
        }
    )


def test_blocks_memory_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)  # would outlive the test
    for seed in range(20):
        case = random_case(seed)
        numbers = case[3]
        whole = ranked(*case[:3], numbers=numbers, top=5)
        with pytest.raises(ValueError, match="give") as refused:
            ranked(*case[:3], numbers=numbers, top=5, memory=1)
        least = int(str(refused.value).split("give ")[1].split(" ")[0].replace(",", ""))
        parts = [ranked(*case[:3], numbers=numbers, top=5, memory=least)]
        parts += [ranked(*case[:3], numbers=numbers, top=5, block=block) for block in (1, 3)]
        monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
        parts += [ranked(*case[:3], numbers=numbers, top=5)]
        monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
        for part in parts:
            for name in ("ranks", "offsets", "top", "top_distance"):
                assert torch.equal(getattr(part, name), getattr(whole, name)), (seed, name)


def labels(identity: Sequence[int], camera: Sequence[int]) -> Labels:
    return Labels(torch.tensor(identity), torch.tensor(camera))


@pytest.mark.parametrize(
    ("numbers", "identity", "camera", "message"),
    [
        ([None, None, None], [1, 1, 2], [0, 0, 0], r"image_to_track.*none of 3 .*test_track\.txt"),
        ([1, None, None], [1, 1, 2], [0, 0, 0], r"2 of 3 .* belong to no track, the first is b\.jpg"),
        ([4, 5, 4], [1, 1, 2], [0, 0, 0], r"track 4 shows identity 1 in a\.jpg and identity 2 in c\.jpg"),
        ([4, 5, 5], [1, 2, 2], [0, 3, 1], r"track 5 shows camera 3 in b\.jpg and camera 1 in c\.jpg"),
        ([4, 5], [1, 2, 2], [0, 3, 1], "2 track numbers and 3 names for 3 gallery images"),
    ],
)
def test_tracks_that_make_no_sense(
    numbers: list[int | None], identity: list[int], camera: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Tracks.of(numbers, labels(identity, camera), names=["a.jpg", "b.jpg", "c.jpg"])


def test_tracks_of_another_gallery() -> None:
    sides = features(1), labels([1], [0]), features(3), labels([1, 1, 2], [1, 1, 1])
    with pytest.raises(ValueError, match="tracks of 2 images do not fit a gallery of 3"):
        rank(
            *sides, distance=lambda q, g: torch.zeros(1, 3), tracks=Tracks.of([1, 2], labels([1, 1], [1, 1]))
        )
