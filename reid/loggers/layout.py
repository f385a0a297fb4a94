"""Which panels show runs of people, of vehicles and of keypoints: sections of a dashboard as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "curves",  # figures over steps
    "bars",  # a final figure of each run
    "table",  # what a run sent as a table, drawn as the run draws it
    "pictures",
    "parallel",  # choices and a final figure, a line a run
    "importance",  # of choices for a final figure
    "difference",  # of runs' choices and figures
]


@dataclass(frozen=True)
class Panel:
    """One panel.

    Args:
        keys: of figures, of pictures, or of a table's chart; of choices, as ``optimizer.lr``, and then the
            figure.
    """

    title: str
    kind: Kind
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Panels under a heading."""

    name: str
    panels: tuple[Panel, ...]


def training(losses: Sequence[str]) -> Section:
    """How a training went."""
    return Section(
        "Training",
        (
            Panel("Weighted sum of losses", "curves", ("train/loss",)),
            Panel("Losses", "curves", tuple(f"train/{name}" for name in losses)),
            Panel("Learning rate", "curves", ("train/learning_rate",)),
            Panel("Images a second", "curves", ("train/images_per_second",)),
            Panel("Share of time waiting for data", "curves", ("train/data_wait",)),
            Panel("The run's own plot", "pictures", ("pictures/training",)),
        ),
    )


def sweep(choices: Sequence[str], figure: str) -> Section:
    """What the jobs of a sweep differ in, and what comes of it."""
    return Section(
        "Sweeps",
        (
            Panel("Choices and result", "parallel", (*choices, figure)),
            Panel("Importance of choices", "importance", (figure,)),
            Panel("What runs differ in", "difference"),
        ),
    )


RESULTS = Section(
    "Results",
    (
        Panel("mAP", "bars", ("final/mAP",)),
        Panel("mINP", "bars", ("final/mINP",)),
        Panel("rank-1", "bars", ("final/rank1",)),
        Panel("CMC", "table", ("charts/cmc",)),
        Panel("CMC, the run's own plot", "pictures", ("pictures/cmc",)),
    ),
)
RETRIEVAL = Section(
    "Retrieval",
    (
        Panel("mAP of epochs", "curves", ("val/mAP",)),
        Panel("mINP of epochs", "curves", ("val/mINP",)),
        Panel("rank-1 and rank-5 of epochs", "curves", ("val/rank1", "val/rank5")),
    ),
)
RANKED_LISTS = Section(
    "Ranked lists",
    tuple(
        Panel(f"{group.capitalize()} queries", "pictures", (f"pictures/ranked_lists_{group}",))
        for group in ("best", "typical", "worst")
    ),
)
ATTRIBUTES = Section(
    "Attributes",
    (
        Panel("Accuracy of epochs", "curves", ("val/color_accuracy", "val/type_accuracy")),
        Panel("Colours named and true", "table", ("charts/confusion_color",)),
        Panel("Types named and true", "table", ("charts/confusion_type",)),
        Panel(
            "Matrices, the run's own plots",
            "pictures",
            ("pictures/confusion_color", "pictures/confusion_type"),
        ),
    ),
)
GUIDES = Section("Guides", (Panel("Guides of training images", "pictures", ("pictures/guides",)),))
KEYPOINTS = (
    Section(
        "Results",
        (
            Panel("PCK", "bars", ("final/pck",)),
            Panel("PCK@0.1", "bars", ("final/pck_at_0.1",)),
            Panel("PCK as published", "bars", ("final/pck_legacy",)),
            Panel("PCK of groups of keypoints", "table", ("charts/pck",)),
        ),
    ),
    Section(
        "Keypoints",
        (
            Panel("PCK of epochs", "curves", ("val/pck", "val/pck_at_0.1")),
            Panel("PCK as published, of epochs", "curves", ("val/pck_legacy",)),
            Panel("Worst and best poses", "pictures", ("pictures/poses",)),
        ),
    ),
)
COMMON = ("optimizer.lr", "trainer.max_epochs", "data.batch_size", "seed")
SWITCHES = ("data.heatmap", "data.segment", "data.keypoints")
VIEWS: dict[str, tuple[Section, ...]] = {
    "people": (
        RESULTS,
        RETRIEVAL,
        RANKED_LISTS,
        training(("identity", "triplet", "aligned")),
        sweep(COMMON, "final/mAP"),
    ),
    "vehicles": (
        RESULTS,
        RETRIEVAL,
        ATTRIBUTES,
        RANKED_LISTS,
        GUIDES,
        training(("identity", "triplet", "attributes")),
        sweep((*COMMON, *SWITCHES), "final/mAP"),
    ),
    "pose": (*KEYPOINTS, GUIDES, training(("heatmaps",)), sweep((*COMMON, "model.width"), "final/pck")),
}
