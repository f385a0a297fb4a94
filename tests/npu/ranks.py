"""Ranks of `one_step.py` started together, and what must hold of that which they find."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from npu.one_step import FINE, INPUTS, OUTPUTS, RANKS, ROWS

ROOT = Path(__file__).parents[2]
EXPECTED = {  # of the numbers that the ranks 0 and 1 bring, by hand; HCCL itself takes what is named npu
    "mean of float32": [1.0, "torch.float32", "npu", ["npu"]],
    "mean of int64": [[1, -1, 1], "torch.int64", "npu", ["cpu"]],
    "sum of int64": [2 * 2**40 + 1, "torch.int64", "npu", ["npu"]],
    "mean of float64": [FINE + 1, "torch.float64", "npu", ["cpu"]],
    "sum of float64": [2 * FINE + 2, "torch.float64", "npu", ["cpu"]],
}


@dataclass(frozen=True)
class Ranks:
    """What each rank found before it ended, and how it ended."""

    found: list[dict[str, Any]]
    ended: list[int]  # exit statuses; -9 was killed
    errors: str

    def __getitem__(self, part: str) -> list[Any]:
        assert all(part in found for found in self.found), f"no {part}: {self.errors[-3000:]}"
        return [found[part] for found in self.found]


def start_ranks(plugin: str, folder: Path, variables: dict[str, str], *, limit: float) -> Ranks:
    """Run `one_step.py` with a plugin on RANKS devices; kill what has not ended after ``limit`` seconds."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(RANKS), "NODE_RANK": "0"}
    path = os.pathsep.join(filter(None, (str(ROOT), variables.get("PYTHONPATH", ""))))
    files = [folder / f"{rank}.json" for rank in range(RANKS)]
    logs = [file.with_suffix(".log") for file in files]
    processes = []
    for rank, (file, log) in enumerate(zip(files, logs, strict=True)):
        rank_variables = {**world, "LOCAL_RANK": str(rank), "TORCH_NPU_FALLBACK_CPU_DISABLE": "1"}
        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("one_step.py"), plugin, file],
                env={**os.environ, **variables, **rank_variables, "PYTHONPATH": path},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        processes.append(process)
    deadline = time.monotonic() + limit
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    found = [json.loads(file.read_text()) if file.is_file() else {} for file in files]
    return Ranks(found, [process.returncode for process in processes], "".join(map(Path.read_text, logs)))


def formula() -> np.ndarray:
    """The gradient of `one_step.Linear`'s loss over all rows, (OUTPUTS, INPUTS): W X'X / ROWS."""
    x = np.sin(np.arange(ROWS * INPUTS)).reshape(ROWS, INPUTS)
    weight = np.cos(np.arange(OUTPUTS * INPUTS)).reshape(OUTPUTS, INPUTS)
    gradient: np.ndarray = weight @ x.T @ x / ROWS
    return gradient


def check_end(ranks: Ranks) -> None:
    assert ranks.ended == [0] * RANKS, ranks.errors[-3000:]


def check_devices(ranks: Ranks) -> None:
    """A device for each rank, which is the current one of its process."""
    assert ranks["device"] == [{"current": rank, "root": rank} for rank in range(RANKS)]


def check_backend(ranks: Ranks) -> None:
    assert ranks["backend"] == ["cpu:gloo,npu:hccl"] * RANKS


def check_gradients(ranks: Ranks) -> None:
    """The gradient of each rank is that of one process over all rows."""
    for gradient in ranks["gradient"]:
        np.testing.assert_allclose(gradient, formula(), rtol=1e-5, atol=1e-6)


def check_reductions(ranks: Ranks) -> None:
    assert ranks["reductions"] == [EXPECTED] * RANKS


CHECKS = {
    "end": check_end,
    "devices": check_devices,
    "backend": check_backend,
    "gradients": check_gradients,
    "reductions": check_reductions,
}
