"""Features by one thread: engines of `Embedder` and task=extract beside eager PyTorch, 64 images at once.

Figures are processor time, the least of rounds in turn: neighbours on the machine count little. Those of the
clock stand beside them. ``extra_info`` is a row of experiments/speed_inference/speeds.csv.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from deploy.exported import MAKERS, varied
from torch import nn

from reid.checkpoint import write_checkpoint
from reid.datasets.features import write_features
from reid.deploy.files import onnx_bytes
from reid.inference import Embedder
from reid.inference.engines import OPSET, Engine, by_compiler, difference, engine_of
from reid.loading.device import normalize
from reid.tasks.extract import embed

pytest.importorskip("pytest_benchmark")
pytest.importorskip("onnxruntime")

BATCH, FEW, ROUNDS = 64, 8, 3
FILES = 128  # of task=extract
SIZE = (256, 128)
NETWORKS: dict[str, tuple[str, str, dict[str, Any]]] = {  # maker, class, its arguments
    "osnet_x0_25": ("osnet_x0_25", "OSNet", {"channels": [16, 64, 96, 128]}),
    "osnet_x0_5": ("osnet_x0_5", "OSNet", {"channels": [32, 128, 192, 256]}),
    "osnet_x0_75": ("osnet_x0_75", "OSNet", {"channels": [48, 192, 288, 384]}),
    "osnet": ("osnet", "OSNet", {"channels": [64, 256, 384, 512]}),
    "resnet50 (aligned_reid)": ("aligned_reid", "AlignedReID", {}),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEG files of Market-1501's size."""
    folder, numbers = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for row in range(FILES):
        coarse = numbers.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        picture = cv2.resize(coarse, (64, 128), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{row:04d}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return folder


def checkpoint_of(name: str, folder: Path) -> tuple[Path, nn.Module]:
    maker, kind, settings = NETWORKS[name]
    network = varied(MAKERS[maker]())
    section = {
        "name": maker,
        "_target_": f"reid.modules.{kind}Module",
        "network": {"_target_": f"reid.networks.{kind}", "num_identities": 5, **settings},
        "losses": {"identity": {"_target_": "reid.losses.IdentityLoss"}},
        "loss_weights": {"identity": 1.0},
    }
    told = {"model": section, "image_size": list(SIZE), "distance": "cosine", "data": "none"}
    weights = {f"network.{key}": value for key, value in network.state_dict().items()}
    write_checkpoint({"state_dict": weights, "reid": told}, folder / "best.ckpt")
    return folder / "best.ckpt", network


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of the processor and of the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - processor, time.perf_counter() - clock


def peers_way(network: nn.Module, folder: Path) -> None:
    """What a plain script does: PIL, 64 pictures at once, eager."""
    from PIL import Image

    paths = sorted(folder.iterdir())
    for start in range(0, len(paths), BATCH):
        read = [
            np.asarray(Image.open(path).convert("RGB").resize(SIZE[::-1], Image.Resampling.BILINEAR))
            for path in paths[start : start + BATCH]
        ]
        network(normalize(torch.from_numpy(np.stack(read))).contiguous())


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_embedder_beside_eager(name: str, benchmark: Any, pictures: Path, tmp_path: Path) -> None:
    path, network = checkpoint_of(name, tmp_path)
    embedder = Embedder(path, device="cpu", num_workers=1, progress=False)
    card = embedder.card
    plain = engine_of(
        network, card, device=torch.device("cpu"), runtime="torch", precision="32", batch_size=None
    )
    made = {"onnxruntime": embedder.engine, "torch": plain}
    compile_seconds = seconds(
        lambda: made.update(compiled_bf16=by_compiler(network, card, precision="bf16", batch_size=FEW))
    )
    image = torch.randn(BATCH, 3, *SIZE)

    def by(engine: Engine) -> None:
        for part in image.split(FEW):
            engine.compute(part)

    works: dict[str, tuple[int, Callable[[], object]]] = {
        "eager": (BATCH, lambda: network(image)),
        **{kind: (BATCH, partial(by, engine)) for kind, engine in made.items()},
        "eager_from_files": (FILES, lambda: peers_way(network, pictures)),
        "extract": (
            FILES,
            lambda: write_features(embed(pictures, embedder, said="task.images"), tmp_path / "x.npz"),
        ),
    }
    taken: dict[str, list[tuple[float, float]]] = {key: [] for key in works}
    for _, work in works.values():
        work()
    for _ in range(ROUNDS):
        for key, (_, work) in works.items():
            taken[key].append(seconds(work))
    row: dict[str, Any] = {"network": name}
    for key, (count, _) in works.items():
        row[key] = count / min(processor for processor, _ in taken[key])
        row[f"{key}_clock"] = count / min(clock for _, clock in taken[key])
    for key in works:
        row[f"{key}_ratio"] = row[key] / row["eager"]
    row |= {f"{key}_difference": difference(engine, network, card) for key, engine in made.items()}
    row["export_seconds"] = seconds(lambda: onnx_bytes(network, card, opset=OPSET))[0]
    row["compile_seconds"], row["compile_clock"] = compile_seconds
    benchmark.extra_info |= row
    benchmark.pedantic(works["extract"][1], rounds=1)
