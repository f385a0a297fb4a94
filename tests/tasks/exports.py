"""Checkpoints of networks that nobody trained, and their files, for tests that compare one with the other."""

from dataclasses import dataclass
from pathlib import Path

import torch
from deploy.exported import varied
from tasks.conftest import SMALL, Outcome, Program
from torch import nn

from reid.networks import AlignedReID, MultiTaskNet, OSNet

VEHICLES = [
    "data=vehicles",
    "data.drawing={train_identities: 4, test_identities: 4, passes: 2, shots: 2}",
    "data.cache=none",
]
ALL = ["data.heatmap=true", "data.segment=true", "data.keypoints=true"]


@dataclass(frozen=True)
class Kind:
    """A model, and the words that evaluate it."""

    name: str
    network: nn.Module
    size: tuple[int, int]
    words: list[str]
    given: list[str]  # that a checkpoint knows by itself


def kinds() -> dict[str, Kind]:
    """One of each architecture."""
    attributes = {"color": 10, "type": 9}
    guided = MultiTaskNet(4, attributes=attributes, heatmap=True, segment=True, keypoints=True)
    return {
        "osnet": Kind("osnet_x0_25", OSNet(8, channels=(16, 64, 96, 128)), (64, 32), [], []),
        "aligned": Kind("aligned_reid", AlignedReID(8), (64, 32), [], []),
        "multitask": Kind("multitask", guided, (32, 32), VEHICLES, ALL),
    }


def checkpoint_of(kind: Kind, program: Program, folder: Path) -> Path:
    """Its checkpoint, by task=convert of its bare weights."""
    torch.save(varied(kind.network).state_dict(), folder / "bare.pth")
    path = folder / f"{kind.name}.ckpt"
    words = [f"model={kind.name}", *kind.words, *kind.given, f"data.image_size={list(kind.size)}"]
    weights = [f"model.weights={folder / 'bare.pth'}", f"task.to={path}"]
    outcome = program.inside("task=convert", *words, *weights, small=not kind.words)
    assert outcome.status == 0, outcome.err
    return path


def sentence(program: Program, kind: Kind, *words: str) -> Outcome:
    """A task on the kind's benchmark, without the words that a checkpoint or a file knows by itself."""
    drawing = kind.words or [word for word in SMALL if word.startswith("data.drawing")]
    rest = ["device.reuse_memory=false", "data.evaluation_batch_size=8", "trainer.precision=32-true"]
    return program.inside(*drawing, *rest, *words, small=False)
