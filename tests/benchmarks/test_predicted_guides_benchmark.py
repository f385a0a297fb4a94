"""task=guides on one core: seconds a picture by the batch, and what takes them."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import cv2
import pytest
import torch

from reid.datamodules.predicted import PredictedGuides
from reid.datasets import Record
from reid.datasets.vehicles import Sizes, draw_vehicles
from reid.loading import read_image
from reid.losses import KeypointLoss
from reid.modules import PoseModule
from reid.networks import PoseEstNet

pytest.importorskip("pytest_benchmark")

COUNT = 32
NETWORKS = {"w32": (32, (1, 4, 3), 256), "w16": (16, (1, 1, 1), 96)}  # width, exchanges, side in pixels


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    sizes = Sizes(train_identities=8, test_identities=2, passes=2, shots=2)
    folder = draw_vehicles(tmp_path_factory.mktemp("data"), seed=0, sizes=sizes)
    pictures = sorted((folder / "image_train").iterdir())[:COUNT]
    return [Record(path, row, 0) for row, path in enumerate(pictures)]


def network(name: str) -> tuple[PoseModule, tuple[int, int]]:
    """The published network, or the narrow one of the generated vehicles; what it finds does not matter."""
    width, modules, side = NETWORKS[name]
    torch.manual_seed(0)
    drawn = PoseEstNet(width, modules=modules)
    torch.nn.init.normal_(drawn.final_layer.weight, std=0.05)
    assert drawn.final_layer.bias is not None
    torch.nn.init.constant_(drawn.final_layer.bias, 0.2)
    return PoseModule(drawn, {"h": KeypointLoss()}, loss_weights={"h": 1.0}).eval(), (side, side)


class Clock:
    """Adds up the processor time of calls by name: neighbours on the machine count less."""

    def __init__(self) -> None:
        self.seconds = Counter[str]()

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return work(*args, **options)
            finally:
                self.seconds[name] += time.process_time() - start

        return call


@pytest.mark.parametrize("batch", [1, 8, 32])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.benchmark(group="predicted guides")
def test_seconds_a_picture(benchmark, records: list[Record], name: str, batch: int) -> None:
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    module, size = network(name)
    clock = Clock()
    found = PredictedGuides(records, module, size=size, read=clock.timed("decode", read_image))
    count = max(batch, 4 if name == "w32" else COUNT)

    def find() -> None:
        for start in range(0, count, batch):
            found(range(start, start + batch))

    found(range(batch))  # the first call finds its ways
    module.heatmaps = clock.timed("network", module.heatmaps)  # type: ignore[method-assign]
    clock.seconds.clear()
    whole = clock.timed("all", find)
    rounds = 1 if name == "w32" else 3
    benchmark.pedantic(whole, rounds=rounds)
    cv2.setNumThreads(threads[0])
    torch.set_num_threads(threads[1])

    total = clock.seconds["all"]
    shares = {part: clock.seconds[part] / total for part in ("decode", "network")}
    shares["drawing and the rest"] = 1 - sum(shares.values())
    benchmark.extra_info.update(
        seconds_a_picture=round(total / (rounds * count), 4),
        **{part: f"{100 * share:.1f} %" for part, share in shares.items()},
    )
    assert shares["network"] > 0.6, "the rest is to be little"
