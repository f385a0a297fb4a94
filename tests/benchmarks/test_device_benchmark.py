"""Training on a GPU or an NPU, through the program: images a second, and the share of time waiting for data.

Has never run on a device: none was at hand. The seeds' figures at 128 images a device are 728 images/s on an
Ascend 910 and 645 on an RTX 3090 (OSNet x1.0 on Market-1501).
"""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PEOPLE = ["data=pedestrians", "data.image_size=[256,128]", "data.cache=ram"]
VEHICLES = ["model=multitask", "data=vehicles", "data.image_size=[256,256]", "data.cache=ram"]
CASES = {
    **{f"osnet-{size}": ["model=osnet", *PEOPLE, f"data.batch_size={size}"] for size in (64, 128, 256)},
    "aligned_reid-64": ["model=aligned_reid", *PEOPLE, "data.batch_size=64"],
    "multitask-3": [*VEHICLES, "data.batch_size=32"],
    "multitask-39": [*VEHICLES, "data.batch_size=32", "data.heatmap=true"],
    "multitask-52": [*VEHICLES, "data.batch_size=32", "data.heatmap=true", "data.segment=true"],
}
WAYS = {
    "float32": ["trainer.precision=32-true", "device.channels_last=false"],
    "16-mixed": ["trainer.precision=16-mixed", "device.channels_last=false"],
    "bf16-mixed": ["trainer.precision=bf16-mixed", "device.channels_last=false"],
    "16-mixed-nhwc": ["trainer.precision=16-mixed", "device.channels_last=true"],
    "16-mixed-nhwc-compiled": [
        "trainer.precision=16-mixed",
        "device.channels_last=true",
        "device.compile=true",
    ],
}
TRAINER = os.environ.get("REID_BENCHMARK_TRAINER", "gpu" if torch.cuda.is_available() else "")


@pytest.mark.skipif(not TRAINER, reason="no GPU; for an NPU set REID_BENCHMARK_TRAINER=npu")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_training(benchmark, tmp_path: Path, case: str, way: str) -> None:
    """``extra_info``: images a second and the share of waiting, of the last epoch of three."""
    if TRAINER == "npu" and "nhwc" in way:
        pytest.skip("torch_npu has no NHWC tensors")
    command = [
        sys.executable,
        "run.py",
        f"hydra.run.dir={tmp_path}",
        *CASES[case],
        f"trainer={TRAINER}",
        *WAYS[way],
        "trainer.max_epochs=3",
        "check=none",
        "report=false",
    ]
    benchmark.pedantic(subprocess.run, (command,), {"cwd": ROOT, "check": True}, rounds=1, iterations=1)
    with (tmp_path / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    benchmark.extra_info["images_per_second"] = float(last["train/images_per_second"])
    benchmark.extra_info["share_waiting_for_data"] = float(last["train/data_wait"])
    benchmark.extra_info["objective"] = json.loads((tmp_path / "status.json").read_text())["objective"]
