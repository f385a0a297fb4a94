"""DMLI of stripes: ours beside blocks of 200 x 200 images in numpy, as published evaluators compute it."""

import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reid.contracts import Features
from reid.evaluation import LocalDistance

pytest.importorskip("pytest_benchmark")

QUERIES, GALLERY, BLOCK = 128, 2_000, 200


def features(images: int, dim: int) -> Features:
    generator = torch.Generator().manual_seed(images)
    stripes = F.normalize(torch.randn(images, dim, 8, generator=generator), dim=1)
    return Features(embedding=stripes[:, :, 0], pooled=stripes[:, :, 0], stripes=stripes)


def in_blocks(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """(Nq, Ng) from stripes (Nq, 8, d) and (Ng, 8, d)."""
    blocks = range(0, len(gallery), BLOCK)
    return np.concatenate([whole(query, gallery[start : start + BLOCK]) for start in blocks], axis=1)


def whole(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    x, y = query.reshape(-1, query.shape[2]), gallery.reshape(-1, gallery.shape[2])
    squared = (x**2).sum(1)[:, None] + (y**2).sum(1)[None] - 2 * x @ y.T
    e = np.exp(np.sqrt(np.maximum(squared, 1e-12)))
    cost = ((e - 1) / (e + 1)).reshape(len(query), 8, len(gallery), 8).transpose(1, 3, 0, 2)
    reached = np.empty_like(cost)
    for i in range(8):
        for j in range(8):
            before = [reached[i - 1, j]] * (i > 0) + [reached[i, j - 1]] * (j > 0)
            reached[i, j] = cost[i, j] + (np.minimum.reduce(before) if before else 0)
    return reached[-1, -1]


@pytest.mark.parametrize("dim", [128, 2048])
def test_local_distance(benchmark, dim: int) -> None:
    query, gallery = features(QUERIES, dim), features(GALLERY, dim)
    x, y = (side.stripes.transpose(1, 2).numpy() for side in (query, gallery))
    in_blocks(x, y[:BLOCK])  # warm-up
    start = time.perf_counter()
    expected = in_blocks(x, y)
    baseline = time.perf_counter() - start

    found = benchmark.pedantic(LocalDistance(), args=(query, gallery), rounds=3, warmup_rounds=1)

    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)
    if benchmark.stats is not None:  # None where pytest-benchmark is disabled
        benchmark.extra_info["times_faster"] = baseline / benchmark.stats.stats.median
