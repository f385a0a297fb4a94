"""Features of OSNet at all widths: `Embedder` on the CPU beside eager PyTorch, 64 pictures at once."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from deploy.exported import MAKERS, varied

from reid.checkpoint import write_checkpoint
from reid.inference import Embedder

pytest.importorskip("pytest_benchmark")
pytest.importorskip("onnxruntime")

BATCH = 64
WIDTHS = {
    "osnet": (64, 256, 384, 512),
    "osnet_x0_75": (48, 192, 288, 384),
    "osnet_x0_5": (32, 128, 192, 256),
    "osnet_x0_25": (16, 64, 96, 128),
}


def seconds(work: Callable[[], object], rounds: int = 3) -> float:
    work()
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


@pytest.mark.parametrize("name", WIDTHS)
def test_embedder_beside_eager(name: str, benchmark, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network = varied(MAKERS[name]())
    section = {
        "name": name,
        "_target_": "reid.modules.OSNetModule",
        "network": {"_target_": "reid.networks.OSNet", "num_identities": 5, "channels": list(WIDTHS[name])},
        "losses": {"identity": {"_target_": "reid.losses.IdentityLoss"}},
        "loss_weights": {"identity": 1.0},
    }
    path = tmp_path / "best.ckpt"
    told = {"model": section, "image_size": [256, 128], "distance": "cosine", "data": "none"}
    weights = {f"network.{key}": value for key, value in network.state_dict().items()}
    write_checkpoint({"state_dict": weights, "reid": told}, path)
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, 128, 64, 3), dtype=np.uint8)
    embedder = Embedder(path, device="cpu", progress=False)
    image = torch.randn(BATCH, 3, 256, 128)

    @torch.inference_mode()
    def eager() -> None:
        network(image)

    slow = seconds(eager)
    fast = seconds(lambda: embedder(pictures))
    benchmark.extra_info |= {
        "eager_images_per_second": BATCH / slow,
        "embedder_images_per_second": BATCH / fast,
        "ratio": slow / fast,
    }
    benchmark.pedantic(lambda: embedder(pictures), rounds=1)
