"""DMLI's published figures, and local distances beside the paths that they are the shortest of."""

import math

import oracles_aligned
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from reid.contracts import Features
from reid.evaluation import GlobalLocalDistance, LocalDistance, local
from reid.evaluation.dmli import aligned_distance

ORTHONORMAL = torch.eye(8)[None]  # one image, 8 stripes that have nothing in common


def features(stripes: Tensor) -> Features:
    embedding = stripes.mean(2)
    return Features(embedding=embedding, pooled=embedding, stripes=stripes)


def stripes_of(images: int, *, stripes: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(images)
    return F.normalize(torch.randn(images, 6, stripes, generator=generator, dtype=dtype), dim=1)


@pytest.mark.parametrize(
    ("other", "published"),
    [
        (ORTHONORMAL, 4.2620),  # 7 tanh(sqrt(2) / 2)
        (ORTHONORMAL.roll(1, dims=2), 4.8709),
    ],
)
def test_published_figures_of_eight_orthonormal_stripes(other: Tensor, published: float) -> None:
    assert aligned_distance(ORTHONORMAL, other).item() == pytest.approx(published, abs=1e-4)


def test_equal_stripes_are_at_no_distance_and_opposite_ones_as_far_as_can_be() -> None:
    ones = torch.ones(1, 1, 8)
    assert aligned_distance(ones, ones).item() == pytest.approx(0, abs=1e-4)
    assert aligned_distance(ones, -ones).item() == pytest.approx(15 * math.tanh(1), abs=1e-4)
    assert LocalDistance()(features(ones), features(-ones)).item() == pytest.approx(
        15 * math.tanh(1), abs=1e-4
    )
    unaligned = LocalDistance(unaligned=True)(features(ones), features(-ones))
    assert unaligned.item() == pytest.approx(8 * math.tanh(1), abs=1e-4)


def test_against_every_path() -> None:
    query, gallery = stripes_of(3), stripes_of(5)
    expected = oracles_aligned.table(oracles_aligned.aligned, query, gallery)
    torch.testing.assert_close(aligned_distance(query, gallery), expected)


def test_images_may_have_different_numbers_of_stripes() -> None:
    query, gallery = stripes_of(2, stripes=3), stripes_of(3, stripes=5)
    expected = oracles_aligned.table(oracles_aligned.aligned, query, gallery)
    torch.testing.assert_close(aligned_distance(query, gallery), expected)
    found = LocalDistance()(features(query), features(gallery))
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_gradient_equals_that_of_the_shortest_path_and_finite_differences() -> None:
    query, gallery = stripes_of(3).requires_grad_(), stripes_of(2).requires_grad_()
    weight = torch.rand(3, 2, dtype=torch.float64)
    slow = oracles_aligned.table(oracles_aligned.aligned, query, gallery)
    expected = torch.autograd.grad((weight * slow).sum(), (query, gallery))
    found = torch.autograd.grad((weight * aligned_distance(query, gallery)).sum(), (query, gallery))
    torch.testing.assert_close(found, expected)
    assert torch.autograd.gradcheck(aligned_distance, (query, gallery))


def test_gradient_is_finite_where_stripes_are_equal() -> None:
    same = stripes_of(4, dtype=torch.float32).requires_grad_()
    (gradient,) = torch.autograd.grad(aligned_distance(same, same).sum(), same)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("unaligned", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_tiles_make_no_difference(
    unaligned: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, gallery = stripes_of(3).to(dtype), stripes_of(11).to(dtype)
    measure = oracles_aligned.unaligned if unaligned else oracles_aligned.aligned
    expected = oracles_aligned.table(measure, query.double(), gallery.double())
    for tile in (1, 3 * 16 * 4, 2**21):  # one gallery image at a time, four, all
        monkeypatch.setattr(local, "TILE", tile)
        monkeypatch.setattr(local, "FEW", min(2, tile))
        found = LocalDistance(unaligned=unaligned)(features(query), features(gallery))
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_make_no_difference_and_are_given_back(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "TILE", 64)
    query, gallery = (features(stripes_of(n, dtype=torch.float32)) for n in (5, 40))
    expected = oracles_aligned.table(oracles_aligned.aligned, query.stripes, gallery.stripes)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = LocalDistance()(query, gallery)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("unaligned", [False, True])
def test_global_and_local_add_up(unaligned: bool) -> None:
    query, gallery = stripes_of(3), stripes_of(5)
    q, g = F.normalize(query.mean(2)), F.normalize(gallery.mean(2))
    squared = (q[:, None] - g[None]).square().sum(2)
    measure = oracles_aligned.unaligned if unaligned else oracles_aligned.aligned
    expected = squared + oracles_aligned.table(measure, query, gallery)
    found = GlobalLocalDistance(unaligned=unaligned)(features(query), features(gallery))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("measure", [LocalDistance(), LocalDistance(unaligned=True), GlobalLocalDistance()])
def test_neither_autocast_nor_the_call_changes_anything(measure: LocalDistance | GlobalLocalDistance) -> None:
    query, gallery = stripes_of(3, dtype=torch.float32), stripes_of(5, dtype=torch.float32)
    before = query.clone(), gallery.clone()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lowered = measure(features(query), features(gallery))
    assert torch.equal(lowered, measure(features(query), features(gallery)))
    assert torch.equal(query, before[0])
    assert torch.equal(gallery, before[1])


def test_features_without_stripes_are_refused() -> None:
    x = torch.ones(2, 3)
    plain = Features(embedding=x, pooled=x)
    with pytest.raises(ValueError, match=r"evaluation\.distance=euclidean"):
        GlobalLocalDistance()(plain, plain)
