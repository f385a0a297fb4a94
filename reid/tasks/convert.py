"""task=convert: a weight file of any kind into a checkpoint of ours, torchreid's bare form or safetensors."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor

from reid.checkpoint import describe, read_checkpoint, write_checkpoint
from reid.modules import TaughtModule
from reid.tasks.build import build_module, model_section, restored
from reid.weights import (
    WeightsReport,
    advice,
    classes,
    copy_weights,
    is_classifier,
    is_trunk,
    read_weights,
    translated,
    write_weights,
)

log = logging.getLogger(__name__)

KINDS = {".ckpt": "checkpoint", ".pth": "bare weights", ".safetensors": "safetensors"}


def convert(config: DictConfig) -> None:
    """Write ``checkpoint``, or ``model.weights`` as the configured model's, to ``task.to``.

    Its ending chooses: ``.ckpt`` is for ``checkpoint=PATH`` of other tasks and says what it is, ``.pth`` and
    ``.safetensors`` hold weights alone, by torchreid's or the authors' names.

    Raises:
        FileNotFoundError: the input is not there.
        ValueError: not one input, no output, an unknown ending, or weights of another model.
    """
    weights, checkpoint, to = config.model.get("weights"), config.checkpoint, config.task.to
    if (weights is None) == (checkpoint is None):
        raise ValueError(
            "task=convert reads one file: give model.weights=FILE and its model=, or checkpoint=PATH"
        )
    if to is None or Path(to).suffix not in KINDS:
        raise ValueError(f"task.to={to}: give a file that ends with {', '.join(KINDS)}")
    to, report = Path(to), None
    if checkpoint is not None:
        module, description = own(Path(checkpoint))
    else:
        module, description, report = published(config, Path(weights))
    held = module.network.state_dict()
    if to.suffix == ".ckpt":
        write_checkpoint({"state_dict": module.state_dict(), "reid": description}, to)
    else:
        held = held if report is None else given(held, report)
        write_weights(held, to)
    model = description["model"]
    identities = model["network"].get("num_identities")
    parts = [
        f"{to}: {KINDS[to.suffix]} of {model.get('name')}",
        *([] if identities is None else [f"{identities} identities"]),
        f"{len(held)} tensors",
        f"{to.stat().st_size / 1e6:,.1f} MB",
    ]
    lines = [*([report.summary()] if report else []), ", ".join(parts)]
    sys.stdout.write("\n".join([*lines, ""]))


def given(weights: Mapping[str, Tensor], report: WeightsReport) -> dict[str, Tensor]:
    """Without layers that the file did not give: they are as drawn, and would look as if from the file."""
    drawn = {name.rpartition(".")[0] for name in (*report.missing, *report.left)}
    return {name: weight for name, weight in weights.items() if name.rpartition(".")[0] not in drawn}


def own(path: Path) -> tuple[TaughtModule, dict[str, Any]]:
    """The module of a checkpoint of ours with its weights, and what the checkpoint says of itself."""
    checkpoint = read_checkpoint(path)
    description: dict[str, Any] = checkpoint["reid"]
    return restored(description["model"], checkpoint), description


def published(config: DictConfig, path: Path) -> tuple[TaughtModule, dict[str, Any], WeightsReport]:
    """The configured model with a file's weights and classes, what a checkpoint says of it, and the report.

    Raises:
        ValueError: the file is another model's or, strictly, does not fill this one.
    """
    section, strict = model_section(config), config.model.get("strict_weights", True)
    network, content = section["network"], read_weights(path)
    unknown = {"num_identities": 1, "attributes": {}}  # where neither the benchmark nor its disk has told yet
    with torch.device("meta"):  # its names alone
        outline = instantiate(
            {
                key: unknown[key] if key in unknown and value is None else value
                for key, value in network.items()
            },
            _convert_="all",
        )
    weights = translated(content, outline)
    found = {} if is_trunk(weights, outline) else classes(weights)
    network |= {key: value for key, value in found.items() if key in network}
    if network.get("num_identities", 0) is None:
        raise ValueError(
            f"{path} has no classifier that tells how many identities it was trained with: set"
            " data.num_identities=N, any number will do for evaluation"
        )
    module = build_module(section)
    report = copy_weights(module.network, weights, source=path, strict=strict)
    if line := advice(module.network, path):
        log.warning(line)
    if strict and (absent := [name for name in report.missing if not is_classifier(name)]):
        raise ValueError(
            f"{path} is a trunk alone, without {', '.join(absent[:4])}: train from it by"
            " model.weights=FILE, or convert what there is with model.strict_weights=false"
        )
    description = describe(
        section,
        image_size=config.data.image_size,
        distance=config.evaluation.distance,
        data=config.data.name,
    )
    return module, description, report
