"""How long a call takes: warm-up, synchronised rounds, percentiles, and the memory that it peaks at."""

import re
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Timing:
    """Of one number of images at once."""

    batch_size: int
    rounds: int
    images_per_second: float  # of all rounds together
    median_ms: float  # a batch
    p95_ms: float
    peak_memory_mb: float  # what torch held of the device, else this process on the host


def time_calls(
    call: Callable[[], None],
    *,
    batch_size: int,
    warmup: int,
    rounds: int,
    seconds: float,
    device: str = "cpu",
) -> Timing:
    """Call again and again.

    Args:
        call: returns when its work is done, on the device too.
        batch_size: images a call.
        warmup: calls before the clock starts.
        rounds: calls at most; three at least.
        seconds: after which no further call begins.
        device: whose memory is watched; torch's name.
    """
    for _ in range(warmup):
        call()
    forget_peak(device)
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < 3 or (len(times) < rounds and time.perf_counter() - started < seconds):
        before = time.perf_counter()
        call()
        times.append(time.perf_counter() - before)
    median, p95 = (float(each) for each in np.percentile(times, [50, 95]) * 1000)
    speed = batch_size * len(times) / sum(times)
    return Timing(batch_size, len(times), speed, median, p95, peak_memory(device))


def synchronize(device: str) -> None:
    """Wait until the device has nothing left to do."""
    kind = device.partition(":")[0]
    if kind != "cpu":
        getattr(torch, kind).synchronize()


def forget_peak(device: str) -> None:
    """Start anew with the memory's peak, where that can be done."""
    kind = device.partition(":")[0]
    if kind != "cpu":
        getattr(torch, kind).reset_peak_memory_stats()
        return
    try:
        CLEAR.write_text("5")  # Linux: VmHWM becomes what is held now
    except OSError:
        return


def peak_memory(device: str) -> float:
    """MB: what torch allocated on a device, or the resident set of this process."""
    kind = device.partition(":")[0]
    if kind != "cpu":
        return float(getattr(torch, kind).max_memory_allocated()) / 1e6
    if STATUS.is_file() and (found := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())):
        return int(found[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
