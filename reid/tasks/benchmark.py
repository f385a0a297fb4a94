"""task=benchmark: how fast a checkpoint or an exported file computes, without loading images."""

import csv
import io
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from reid.checkpoint import read_checkpoint
from reid.deploy import Card, open_runtime
from reid.deploy.files import describe_file, example_of
from reid.deploy.published import published_speeds
from reid.deploy.timing import Timing, synchronize, time_calls
from reid.npu import register as register_npu
from reid.plots.speeds import plot_speeds
from reid.tasks import hardware
from reid.tasks.build import trained_module
from reid.tasks.report import write_json
from reid.tasks.sources import card_of, device_of, one_source
from reid.whole import write_whole

MIXED = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}

# the runtime's name, the model's card, and images at once -> one call
Model = tuple[str, Card, Callable[[int], Callable[[], None]]]


def benchmark(config: DictConfig) -> None:
    """Time ``checkpoint`` or ``model_file`` for each of ``task.batch_sizes``; leave csv, json and a plot.

    Raises:
        ValueError: not one model, a number out of range, or a device that is not there.
    """
    options, folder = config.task, Path(config.paths.output)
    check_options(options)
    source = one_source(config)
    register_npu()
    hardware.check_accelerator(config.trainer, channels_last=config.device.channels_last)
    if config.device.reuse_memory:
        hardware.reuse_memory()
    if config.trainer.accelerator == "cpu":
        hardware.use_threads(config.device.threads, processes=1)
    name, card, calls = of_checkpoint(config) if config.model_file is None else of_file(config)
    by_torch = config.model_file is None or Path(config.model_file).suffix == ".pt"
    watched = device_of(config) if by_torch else "cpu"  # what other programs hold of a device is not known
    timings = [
        time_calls(
            calls(size),
            batch_size=size,
            warmup=options.warmup,
            rounds=options.rounds,
            seconds=options.seconds,
            device=watched,
        )
        for size in ([card.batch_size] if card.batch_size else list(options.batch_sizes))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    leave(timings, card, folder, name=name, source=str(source), machine=machine_of(config))


def check_options(options: DictConfig) -> None:
    """Raise ``ValueError`` naming an option out of range."""
    sizes = options.batch_sizes
    if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"task.batch_sizes={sizes}: use whole numbers of 1 or more, as [1,4,8]")
    for key, least in (("warmup", 0), ("rounds", 1), ("seconds", 0)):
        if not options[key] >= least:
            raise ValueError(f"task.{key}={options[key]}: use {least} or more")


def of_checkpoint(config: DictConfig) -> Model:
    """The network as task=evaluate runs it: its memory format, precision and compilation."""
    checkpoint = read_checkpoint(Path(config.checkpoint))
    module = trained_module(checkpoint, config)
    card = describe_file(checkpoint["reid"], module.network, source=str(config.checkpoint))
    device = device_of(config)
    module = module.to(device).eval()
    precision = hardware.precision(config.trainer.precision, accelerator=config.trainer.accelerator)
    if precision != "32-true" and precision not in MIXED:
        raise ValueError(f"trainer.precision={precision}: task=benchmark knows 32-true, {', '.join(MIXED)}")
    kind = MIXED.get(precision, torch.float32)

    def calls(size: int) -> Callable[[], None]:
        image, *points = example_of(card, size)
        given = [image.to(device), *(each.reshape(size, -1, 3).to(device) for each in points)]

        @torch.inference_mode()
        def call() -> None:
            with torch.autocast(device.partition(":")[0], dtype=kind, enabled=precision in MIXED):
                module(*given)
            synchronize(device)

        return call

    return f"torch {torch.__version__}, {device}, {precision}", card, calls


def of_file(config: DictConfig) -> Model:
    """An exported file by its runtime."""
    path = Path(config.model_file)
    card = card_of(config, path)
    device = device_of(config)
    runtime = open_runtime(path, card=card, device=device, threads=torch.get_num_threads())

    def calls(size: int) -> Callable[[], None]:
        given: list[Tensor] = example_of(card, size)
        return runtime.resident([each.numpy() for each in given])

    return runtime.name, card, calls


def machine_of(config: DictConfig) -> str:
    """What computed, in words."""
    device = device_of(config)
    kind = device.partition(":")[0]
    if kind == "cpu":
        return f"{processor()}, {torch.get_num_threads()} threads"
    return str(getattr(torch, kind).get_device_name(0))


def processor() -> str:
    """The CPU's name (Linux tells), or its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def leave(
    timings: Sequence[Timing], card: Card, folder: Path, *, name: str, source: str, machine: str
) -> None:
    """Write benchmark.csv, benchmark.json and plots/throughput.png, and show the figures."""
    rows: list[dict[str, Any]] = [asdict(each) for each in timings]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / "benchmark.csv", file.getvalue().encode())
    published = published_speeds(card.model)
    write_json(
        {
            "model": card.model,
            "source": source,
            "runtime": name,
            "machine": machine,
            "image_size": list(card.image_size),
            "rows": rows,
            "published_on_other_machines": [asdict(each) for each in published],
        },
        folder / "benchmark.json",
    )
    plot_speeds(
        {each.batch_size: each.images_per_second for each in timings},
        {f"{each.device}, {each.work} ({each.source})": each.images_per_second for each in published},
        folder / "plots" / "throughput.png",
        title=f"{card.model}, {name}",
    )
    lines = [f"{card.model} by {name} on {machine}", "batch   images/s   median ms   95 % ms   peak MB"]
    lines += [
        f"{each.batch_size:5}  {each.images_per_second:9.1f}  {each.median_ms:10.2f}  {each.p95_ms:8.2f}"
        f"  {each.peak_memory_mb:8.0f}"
        for each in timings
    ]
    if published:
        lines.append("for orientation, published figures of other machines (not measured here), images/s:")
    for each in published:
        told = ", ".join(f"{size}: {speed:,.0f}" for size, speed in each.images_per_second.items())
        lines.append(f"  {each.device}, {each.work}, {each.source}: {told}")
    sys.stdout.write("\n".join([*lines, f"results in {folder}", ""]))
