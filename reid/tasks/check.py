"""task=check: what is wrong with a benchmark, or with the devices; the former before a training too."""

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from reid import checks
from reid.checks import Finding
from reid.checks.retrieval import SameCamera
from reid.datamodules import PictureDataModule, ReIDDataModule
from reid.datasets import Benchmark
from reid.datasets.records import PARTS, Counts
from reid.datasets.verify import Numbers
from reid.launch import is_first
from reid.loading.images import find_fault, over_threads
from reid.plots import plot_contact_sheet
from reid.tasks.build import build_datamodule
from reid.tasks.devices import try_devices, wants_devices
from reid.tasks.report import write_json

log = logging.getLogger(__name__)

EXTENTS = ("full", "labels", "none")  # every file is read, only names and labels, nothing
KINDS = ("images", "identities", "cameras")


def check(config: DictConfig) -> None:
    """Check the configured benchmark, then the trainer's devices where ``task.devices`` says so.

    Leaves check.json and plots/contact_sheet.png, and shows counts and findings.

    Raises:
        ValueError: an error was found, a device is missing, or ``check=none`` leaves nothing to do.
    """
    folder, devices = Path(config.paths.output), wants_devices(config)
    if config.check == "none" and not devices:
        raise ValueError(
            "task=check with check=none checks nothing: use full, or labels to read no file, or"
            " task.devices=true to try the devices"
        )
    report: dict[str, Any] = {}
    errors: list[str] = []
    if is_first():
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
        if config.check != "none":
            report, errors = check_benchmark(config, folder)
            write_json(report, folder / "check.json")
    if errors:
        raise ValueError(
            f"{counted(errors)} in {report['benchmark']}: {', '.join(errors)}; see {folder / 'check.json'}"
        )
    if devices and (findings := try_devices(config)):
        write_json({**report, "devices": as_rows(findings)}, folder / "check.json")
        show(findings)
        if errors := [finding.code for finding in findings if finding.level == "error"]:
            raise ValueError(
                f"{counted(errors)} of the devices: {', '.join(errors)}; see {folder / 'check.json'}"
            )


def check_benchmark(config: DictConfig, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Show what is wrong with the configured benchmark, and some of its people.

    Returns:
        What check.json says of it, and the codes of errors.

    Raises:
        ValueError: it has keypoints to be found, no identities.
    """
    datamodule = build_datamodule(config)
    if not isinstance(datamodule, ReIDDataModule):
        raise ValueError(
            f"task=check is for re-identification, {datamodule.name} has keypoints: a training with"
            " check=full reads its files, and check=none task.devices=true tries the devices"
        )
    datamodule.prepare_data()
    benchmark = datamodule.read()
    same_camera = config.evaluation.same_camera
    findings = findings_of(benchmark, datamodule, extent=config.check, same_camera=same_camera)
    picture = plot_contact_sheet(benchmark, folder / "plots" / "contact_sheet.png")
    sys.stdout.write(f"{table(benchmark, datamodule.counts)}\n\n")
    show(findings)
    sys.stdout.write(f"\nsome of its people in {picture}\n")
    report = {
        "benchmark": benchmark.name,
        "counts": {part: asdict(Counts.of(getattr(benchmark, part))) for part in PARTS},
        "published": {part: dict(numbers) for part, numbers in datamodule.counts.items()},
        "findings": as_rows(findings),
    }
    return report, [finding.code for finding in findings if finding.level == "error"]


def as_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [{**asdict(each), "examples": list(map(str, each.examples))} for each in findings]


def show(findings: Sequence[Finding]) -> None:
    """A line for each finding."""
    lines = [f"{finding.level}: {finding.message} [{finding.code}]" for finding in findings]
    sys.stdout.write("".join(f"{line}\n" for line in lines or ["nothing was found to be wrong"]))


@rank_zero_only
def before_training(
    datamodule: PictureDataModule, *, extent: str = "full", same_camera: SameCamera = "exclude"
) -> None:
    """Log what weakens a training on the benchmark, and stop one that could not be trusted.

    Reads the benchmark anew, so that it may come before ``setup``; of several processes the first does it.

    Args:
        datamodule: knows the benchmark and how batches are drawn.
        extent: "full" reads every file, "labels" looks at names and labels, "none" at nothing.
        same_camera: of the evaluation.

    Raises:
        ValueError: the errors in one line, or another ``extent``.
    """
    if extent == "none":
        return
    if not isinstance(datamodule, ReIDDataModule):
        read_all(datamodule, extent=extent)
        return
    started = time.perf_counter()
    datamodule.prepare_data()
    benchmark = datamodule.read()
    findings = findings_of(benchmark, datamodule, extent=extent, same_camera=same_camera)
    errors = [finding.message for finding in findings if finding.level == "error"]
    if errors:
        raise ValueError(
            f"{counted(errors)} in {benchmark.name}: {' '.join(errors)} (task=check shows more, check=none"
            " trains all the same)"
        )
    for finding in findings:
        if finding.level == "warning":
            log.warning(f"{benchmark.name}: {finding.message}")
    images = sum(len(getattr(benchmark, part)) for part in PARTS)
    log.info(f"{benchmark.name}: {images:,} images checked in {time.perf_counter() - started:.1f} s")


def read_all(datamodule: PictureDataModule, *, extent: str) -> None:
    """Read every picture of marked keypoints, for ``extent`` "full", and its labels for any.

    Raises:
        ValueError: a picture that cannot be decoded, or another ``extent``.
    """
    if extent not in EXTENTS:
        raise ValueError(f"check={extent!r}: use {', '.join(EXTENTS[:-1])} or {EXTENTS[-1]}")
    datamodule.prepare_data()
    datamodule.setup()  # which leaves bad pictures out for data.on_bad_image=skip
    if extent == "full":
        records = [*datamodule.train_records, *datamodule.evaluation_records]
        if faults := [fault for fault in over_threads(find_fault, records, "checking images") if fault]:
            raise ValueError(
                f"{len(faults):,} of {len(records):,} pictures of {datamodule.name} cannot be read, the"
                f" first: {faults[0]}. Copy them again, or leave them out with data.on_bad_image=skip"
            )


def findings_of(
    benchmark: Benchmark, datamodule: ReIDDataModule, *, extent: str, same_camera: SameCamera
) -> list[Finding]:
    """What `checks.check` finds, seen with the data module's options.

    Raises:
        ValueError: another ``extent``.
    """
    if extent not in EXTENTS:
        raise ValueError(f"check={extent!r}: use {', '.join(EXTENTS[:-1])} or {EXTENTS[-1]}")
    return checks.check(
        benchmark,
        counts=datamodule.counts if datamodule.verify else {},
        files=extent == "full",
        images_per_identity=1 if datamodule.sampler == "random" else datamodule.images_per_identity,
        same_camera=same_camera,
        skip_bad=datamodule.on_bad_image == "skip",
    )


def table(benchmark: Benchmark, published: Numbers) -> str:
    """How many images, identities and cameras each list has; as published beside it, where that is known."""
    stated = {kind for numbers in published.values() for kind in numbers}
    rows = [[benchmark.name]]
    for kind in KINDS:
        rows[0] += [kind, "published"] if kind in stated else [kind]
    for part in PARTS:
        counts, wanted = asdict(Counts.of(getattr(benchmark, part))), published.get(part, {})
        rows.append([part])
        for kind in KINDS:
            rows[-1].append(f"{counts[kind]:,}")
            if kind in stated:
                rows[-1].append(f"{wanted[kind]:,}" if kind in wanted else "")
    width = max(len(row[0]) for row in rows)
    lines = [f"{name:{width}}" + "".join(f"{figure:>12}" for figure in figures) for name, *figures in rows]
    return "\n".join(line.rstrip() for line in lines)


def counted(errors: Sequence[str]) -> str:
    return f"{len(errors)} error{'s' * (len(errors) > 1)}"
