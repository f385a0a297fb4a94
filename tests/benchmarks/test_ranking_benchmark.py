"""Market1501-sized search and metrics: seconds and memory of ours, and of a full matrix with sorted rows."""

import ctypes
import gc
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from reid.contracts import Features, Labels
from reid.evaluation import CosineDistance, rank, retrieval_metrics, rows

pytest.importorskip("pytest_benchmark")

Side = tuple[Features, Labels]

QUERIES, GALLERY, DISTRACTORS, IDENTITIES, CAMERAS = 3_368, 15_913, 2_798, 750, 6
WIDTH, RANK = 512, 96  # of the embedding, and of the space in which identities really differ


def synthetic_market(noise: float) -> tuple[Side, Side]:
    """Unit features: identity + camera + the look of an identity on a camera + noise of uneven strength."""
    rng = np.random.default_rng(0)
    spectrum = np.arange(1, RANK + 1, dtype=np.float32) ** -0.35
    basis = rng.standard_normal((RANK, WIDTH), dtype=np.float32) / np.sqrt(RANK)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal((*shape, RANK), dtype=np.float32) * spectrum

    who, where = draw(IDENTITIES + 1), 0.45 * draw(CAMERAS)
    look = 0.5 * draw(IDENTITIES + 1, CAMERAS)
    popularity = rng.gamma(2.0, 1.0, IDENTITIES)

    def side(images: int, distractors: int) -> Side:
        known = np.arange(1, IDENTITIES + 1)
        more = rng.choice(known, images - distractors - IDENTITIES, p=popularity / popularity.sum())
        identity = rng.permutation(np.concatenate([np.zeros(distractors, np.int64), known, more]))
        camera = rng.integers(0, CAMERAS, images)
        person = np.where(identity[:, None] == 0, draw(images), who[identity])
        strength = noise * np.exp(0.35 * rng.standard_normal((images, 1), dtype=np.float32))
        latent = person + where[camera] + look[identity, camera] + strength * draw(images)
        embedding = torch.nn.functional.normalize(torch.from_numpy(latent.astype(np.float32) @ basis))
        labels = Labels(torch.from_numpy(identity), torch.from_numpy(camera))
        return Features(embedding=embedding, pooled=embedding), labels

    return side(QUERIES, 0), side(GALLERY, DISTRACTORS)


def searched(query: Side, gallery: Side) -> tuple[float, float]:
    metrics = retrieval_metrics(rank(*query, *gallery, distance=CosineDistance()))
    return metrics["mAP"], metrics["rank1"]


def sorted_whole(query: Side, gallery: Side) -> tuple[float, float]:
    """What published evaluators do: the whole matrix, each row sorted, then a loop over the queries."""
    (q, q_labels), (g, g_labels) = query, gallery
    order = np.argsort((1 - q.embedding @ g.embedding.T).numpy(), axis=1, kind="stable")
    identity, camera = g_labels.identity.numpy(), g_labels.camera.numpy()
    precisions, first = [], []
    for row, person, view in zip(order, q_labels.identity.tolist(), q_labels.camera.tolist(), strict=True):
        kept = row[(identity[row] != person) | (camera[row] != view)]
        ranks = np.flatnonzero(identity[kept] == person)
        if len(ranks):
            precisions.append(np.mean(np.arange(1, len(ranks) + 1) / (ranks + 1)))
            first.append(ranks[0])
    return float(np.mean(precisions)), float(np.mean(np.array(first) == 0))


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and megabytes of resident memory above what the process held before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # freed memory that the heap still holds would hide what is used next
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = resident("VmRSS")
    start = time.perf_counter()
    work()
    return time.perf_counter() - start, resident("VmHWM") - before


def resident(field: str) -> float:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(field))


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc"
)
@pytest.mark.parametrize("noise", [0.5, 1.0], ids=["trained", "poorly trained"])
def test_market1501_search(benchmark, noise: float) -> None:
    query, gallery = synthetic_market(noise)
    searched(
        (rows(query[0], slice(8)), Labels(query[1].identity[:8], query[1].camera[:8])), gallery
    )  # warm-up
    _, megabytes = cost(lambda: searched(query, gallery))
    baseline, baseline_megabytes = cost(lambda: sorted_whole(query, gallery))

    found = benchmark.pedantic(searched, args=(query, gallery), rounds=3)

    assert found == pytest.approx(sorted_whole(query, gallery), abs=1e-6)  # blocks round products anew
    benchmark.extra_info.update(
        mAP=found[0], megabytes=megabytes, baseline_megabytes=baseline_megabytes, baseline_seconds=baseline
    )
    if benchmark.stats is not None:  # None where pytest-benchmark is disabled
        benchmark.extra_info["times_faster"] = baseline / benchmark.stats.stats.median
