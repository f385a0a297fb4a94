"""k-reciprocal re-ranking of a Market1501-sized search, beside the bare products it is made of."""

from pathlib import Path

import pytest
import torch
from benchmarks.test_ranking_benchmark import cost, searched, synthetic_market

from reid.contracts import Features
from reid.evaluation import EuclideanDistance, ReRanking, rank, retrieval_metrics

pytest.importorskip("pytest_benchmark")


def reranked(query, gallery) -> dict[str, float]:
    reranking = ReRanking(query[0], gallery[0], distance=EuclideanDistance())
    return retrieval_metrics(rank(reranking.query, query[1], *gallery, distance=reranking))


def products(query, gallery) -> None:
    """All images with all, and queries with the gallery, block after block: nothing is kept."""
    images = torch.cat([query[0].embedding, gallery[0].embedding])
    for rows in images.split(256):
        rows @ images.T
    for rows in query[0].embedding.split(128):
        rows @ gallery[0].embedding.T


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc"
)
@pytest.mark.benchmark(group="re-ranking")
def test_market1501_reranking(benchmark) -> None:
    query, gallery = (
        (Features(embedding=x.embedding.float(), pooled=x.pooled.float()), labels)
        for x, labels in synthetic_market(1.0)
    )
    products(query, gallery)  # warm-up
    baseline, _ = cost(lambda: products(query, gallery))
    _, megabytes = cost(lambda: reranked(query, gallery))

    found = benchmark.pedantic(reranked, args=(query, gallery), rounds=1)

    first_mean, first_rank1 = searched(query, gallery)
    assert found["mAP"] > first_mean
    benchmark.extra_info.update(
        megabytes=megabytes,
        products_seconds=baseline,
        mAP=found["mAP"],
        mAP_first=first_mean,
        rank1=found["rank1"],
        rank1_first=first_rank1,
    )
    if benchmark.stats is not None:  # None where pytest-benchmark is disabled
        benchmark.extra_info["times_products"] = benchmark.stats.stats.median / baseline
