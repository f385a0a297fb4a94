"""From sections of the configuration to the objects they describe."""

from reid.tasks.build_data import (
    build_datamodule,
    build_others,
    check_channels,
    check_kind,
    count_classes,
    pose_finder,
)
from reid.tasks.build_model import (
    READING,
    WEIGHTS,
    build_module,
    model_section,
    restored,
    trained_module,
    training_module,
)
from reid.tasks.build_trainer import (
    build_scorer,
    build_trainer,
    learning_rate,
)

__all__ = [
    "READING",
    "WEIGHTS",
    "build_datamodule",
    "build_module",
    "build_others",
    "build_scorer",
    "build_trainer",
    "check_channels",
    "check_kind",
    "count_classes",
    "learning_rate",
    "model_section",
    "pose_finder",
    "restored",
    "trained_module",
    "training_module",
]
