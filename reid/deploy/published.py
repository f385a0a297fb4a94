"""Published speeds, for orientation: other machines, other programs, at times other work."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Speed:
    """Images a second by batch size, as somebody measured them."""

    device: str
    work: str  # inference, or training
    source: str
    images_per_second: Mapping[int, float]


S2 = "ModelZoo-PyTorch, OSNet x1.0"
OSNET = (
    Speed("Ascend 310, one chip", "inference", S2, {1: 240.6, 4: 604.7, 8: 715.7, 16: 643.1, 32: 632.9}),
    Speed("Ascend 310 card", "inference", S2, {1: 962.5, 4: 2418.9, 8: 2862.8, 16: 2572.2, 32: 2531.5}),
    Speed(
        "Ascend 310P3",
        "inference",
        S2,
        {1: 1314, 4: 3529, 8: 4075, 16: 3649, 32: 3321, 64: 2821},
    ),
    Speed(
        "NVIDIA T4",
        "inference",
        S2,
        {1: 426.8, 4: 940.3, 8: 1407.7, 16: 2261.5, 32: 1906.6, 64: 1303.7},
    ),
    Speed("Ascend 910", "training", "MindSpore OSNet x1.0, Market-1501", {128: 728}),
    Speed("NVIDIA RTX 3090", "training", "MindSpore OSNet x1.0, Market-1501", {128: 645}),
)
MULTITASK = (
    Speed(
        "Ascend 310P3",
        "inference",
        "ModelZoo-PyTorch, PAMTRI multitask",
        {1: 678.1, 4: 1564.3, 8: 1541.0, 16: 1265.9, 32: 1265.9},
    ),
)
ALIGNED = (  # 79 ms a step of 32
    Speed("Ascend 910", "training", "MindSpore AlignedReID++, Market-1501", {32: 405}),
)


def published_speeds(model: str) -> tuple[Speed, ...]:
    """Those of a model's family; OSNet's are of x1.0, whatever the width."""
    families = {"osnet": OSNET, "multitask": MULTITASK, "aligned_reid": ALIGNED}
    return next((speeds for name, speeds in families.items() if model.startswith(name)), ())
