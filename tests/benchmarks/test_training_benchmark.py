"""A training step of every OSNet width: ours against float32 in NCHW, and the wait for data."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from reid.contracts import Batch
from reid.datasets.records import Record
from reid.loading import ImageSet, Pipeline, RandomErasing, RandomTranslation
from reid.loading.device import normalize
from reid.loading.sampler import Draw
from reid.modules import ReIDModule
from reid.tasks import hardware
from reid.tasks.build import build_module, model_section

CONF = Path(__file__).parents[2] / "conf"
BATCH, IDENTITIES = 32, 751
BASELINES: dict[str, float] = {}


def module_of(name: str, *, channels_last: bool) -> ReIDModule:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [f"model={name}", "data=market1501", "paths.output=outputs"])
    OmegaConf.resolve(config)
    return build_module(model_section(config), channels_last=channels_last)


def images(folder: Path) -> ImageSet:
    """Noise under a blur, as JPEG files of Market-1501's size."""
    rng = np.random.default_rng(0)
    records = []
    for row in range(2 * BATCH):
        path = folder / f"{row}.jpg"
        cv2.imwrite(str(path), cv2.GaussianBlur(rng.integers(0, 255, (128, 64, 3), np.uint8), (0, 0), 2))
        records.append(Record(path, row % IDENTITIES, row % 6))
    transforms = [RandomTranslation(256, 128, scale=1.125, probability=0.5), RandomErasing()]
    return ImageSet(records, Pipeline(transforms, size=(256, 128)))


def step(module: ReIDModule, optimizer: torch.optim.Optimizer, batch: Batch, *, bf16: bool) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        features = module(normalize(batch["image"]))
        loss = module.losses["identity"](features, batch)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


@pytest.mark.parametrize(
    "name", ["osnet", "osnet_x0_75", "osnet_x0_5", "osnet_x0_25", "osnet_ibn", "osnet_ain"]
)
@pytest.mark.parametrize("ours", [False, True], ids=["float32-nchw", "as-trainer-cpu"])
def test_training_step(benchmark, tmp_path: Path, name: str, ours: bool) -> None:
    """Images a second in ``extra_info``; the second variant also as a ratio of the first."""
    if ours:
        hardware.reuse_memory()
    module = module_of(name, channels_last=ours).train()
    optimizer = torch.optim.Adam(module.parameters())
    data = images(tmp_path)
    batch = data.__getitems__(Draw(list(range(BATCH)), 0))
    bf16 = ours and hardware.has_bf16_units()
    benchmark.pedantic(
        step, (module, optimizer, batch), {"bf16": bf16}, rounds=5, iterations=1, warmup_rounds=1
    )
    seconds = benchmark.stats.stats.median if benchmark.stats else float("nan")
    benchmark.extra_info["images_per_second"] = BATCH / seconds
    if ours and name in BASELINES:
        benchmark.extra_info["times_float32"] = BASELINES[name] / seconds
    BASELINES.setdefault(name, seconds)
    benchmark.extra_info["share_waiting_for_data"] = fetch_seconds(data) / seconds


def fetch_seconds(data: ImageSet) -> float:
    import time

    started = time.perf_counter()
    for seed in range(5):
        data.__getitems__(Draw(list(range(BATCH)), seed))
    return (time.perf_counter() - started) / 5
