"""task=export: a checkpoint as a file for other programs, compared with PyTorch."""

import logging
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from reid.checkpoint import read_checkpoint
from reid.deploy import ascend, parity
from reid.deploy.card import Card
from reid.deploy.files import Exported, check_opset, describe_file, write_card, write_onnx, write_torchscript
from reid.deploy.runtimes import open_runtime
from reid.tasks.build import trained_module
from reid.tasks.report import write_json
from reid.whole import write_whole

log = logging.getLogger(__name__)

FORMATS = ("onnx", "torchscript", "om", "mindir")
TOOLS = {"om": ascend.ATC, "mindir": ascend.CONVERTER}
ENDINGS = {"onnx": ".onnx", "torchscript": ".pt"}


def export(config: DictConfig) -> None:
    """Export ``checkpoint`` as ``task.format``; leave the files and export.json.

    Raises:
        ValueError: no checkpoint, an option out of range, a file that answers other than PyTorch, or a
            converter that is not installed or failed.
    """
    options, folder = config.task, Path(config.paths.output)
    check_options(options)
    if config.checkpoint is None:
        raise ValueError("task=export needs checkpoint=PATH, for example outputs/.../checkpoints/best.ckpt")
    checkpoint = read_checkpoint(Path(config.checkpoint))
    module = trained_module(checkpoint, config)
    card = describe_file(checkpoint["reid"], module.network, source=str(config.checkpoint))
    # Of the ONNX file on the way to an OM, whose AIPP comes before it
    inside = options.embed_preprocessing and options.format != "om"
    card = replace(as_embedded(card) if inside else card, half=bool(options.half))
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    tolerance = options.tolerance if options.tolerance is not None else parity.TOLERANCE[card.half]
    rows, lines = list[dict[str, Any]](), list[str]()
    files = list[Exported]()
    for size in sizes(options):
        own = replace(card, batch_size=size)
        name = own.model if size is None else f"{own.model}_bs{size}"
        started = time.perf_counter()
        exported = write_file(module.network, own, folder / name, options)
        seconds = time.perf_counter() - started
        found = parity.compare(open_runtime(exported.path), module.network)
        rows.append(
            {
                "file": exported.path.name,
                "bytes": exported.path.stat().st_size,
                "batch_size": size,
                "simplified": exported.simplified,
                "seconds": round(seconds, 3),
                "parity": parity.check(found, tolerance=tolerance, file=exported.path.name),
            }
        )
        worst = max(found, key=lambda each: each.relative)
        lines.append(
            f"{exported.path.name}: {exported.path.stat().st_size / 1e6:.1f} MB; largest difference to"
            f" PyTorch {worst.max_abs_difference:.2g} ({worst.output}, {worst.relative:.1g} of its largest"
            f" value), cosine at least {min(each.cosine for each in found):.6f}"
        )
        files.append(exported)
    report: dict[str, Any] = {
        "format": options.format,
        "checkpoint": str(config.checkpoint),
        "opset": options.opset if options.format != "torchscript" else None,
        "half": card.half,
        "embed_preprocessing": bool(options.embed_preprocessing),
        "tolerance": tolerance,
        "torch": torch.__version__,
        "files": rows,
    }
    missing = None
    if options.format in TOOLS:
        missing, converted = convert(files, folder, options)
        report["converted"] = converted
        lines += [each["command"] for each in converted]
    write_json(report, folder / "export.json")
    sys.stdout.write("".join(f"{line}\n" for line in [*lines, f"results in {folder}"]))
    if missing is not None:
        message = (
            f"{missing} is not on PATH, so nothing was converted: {ascend.remedy(missing)}. ONNX files and"
            f" {missing}.sh, which has the commands, lie in {folder}"
        )
        if not options.allow_missing_tool:
            raise ValueError(f"{message} (task.allow_missing_tool=true ends with status 0)")
        log.warning(message)


def check_options(options: DictConfig) -> None:
    """Refuse options out of range before anything is read.

    Raises:
        ValueError: naming the option.
    """
    if options.format not in FORMATS:
        raise ValueError(f"task.format={options.format!r}: use {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    wanted = options.batch_sizes
    whole = wanted is None or all(isinstance(size, int) and size > 0 for size in wanted)
    if not whole or (wanted is not None and (not wanted or len(set(wanted)) < len(wanted))):
        raise ValueError(
            f"task.batch_sizes={wanted}: use different whole numbers of 1 or more, as [1,4,8], or null"
        )
    if options.format != "torchscript":
        check_opset(options.opset)
    if options.format == "om":
        ascend.check_chip(options.soc_version)


def sizes(options: DictConfig) -> Sequence[int | None]:
    """Numbers of images, a file each; None stands for any."""
    if options.batch_sizes is not None:
        return list(options.batch_sizes)
    return [1] if options.format in TOOLS else [None]


def as_embedded(card: Card) -> Card:
    """The card of the same file with normalisation inside: (B, H, W, C) uint8."""
    images, *rest = card.inputs.items()
    return replace(card, embedded=True, inputs={images[0]: (*card.image_size, card.channels), **dict(rest)})


def write_file(network: nn.Module, card: Card, stem: Path, options: DictConfig) -> Exported:
    """One file; for converters the ONNX file that they read."""
    path = stem.with_name(stem.name + ENDINGS.get(options.format, ".onnx"))
    if options.format == "torchscript":
        return write_torchscript(network, card, path)
    return write_onnx(network, card, path, opset=options.opset, simplify=options.simplify)


def convert(
    files: Sequence[Exported], folder: Path, options: DictConfig
) -> tuple[str | None, list[dict[str, Any]]]:
    """Write the converter's commands, run them if it is there.

    Returns:
        The tool's name if it is missing, and what was or would be made: ``file``, ``command``, ``made``.
    """
    tool = TOOLS[options.format]
    aipp: Path | None = None
    if options.format == "om" and options.embed_preprocessing:
        aipp = folder / "aipp.cfg"
        write_whole(aipp, ascend.aipp_config(files[0].card).encode())
    plans: list[tuple[Path, list[str], Card]] = []
    for each in files:
        made = each.path.with_suffix(f".{options.format}")
        if options.format == "om":
            command = ascend.atc_command(
                each.card, each.path, made, soc_version=options.soc_version, aipp=aipp
            )
        else:
            command = ascend.converter_command(each.card, each.path, made)
        card = as_embedded(each.card) if aipp else each.card
        write_card(card, made)
        plans.append((made, command, card))
    ascend.write_script([command for _, command, _ in plans], folder / f"{tool}.sh")
    there = ascend.is_there(tool)
    if there:
        for made, command, _ in plans:
            ascend.run_tool(command, folder=folder, makes=made)
    rows = [{"file": made.name, "command": shlex.join(command), "made": there} for made, command, _ in plans]
    return (None if there else tool), rows
