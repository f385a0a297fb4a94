"""Weight files as the world publishes them: read without running their code, copied into our networks."""

from reid.weights.copying import (
    WeightsReport,
    advice,
    classes,
    copy_weights,
    is_classifier,
    is_trunk,
    load_weights,
    translated,
)
from reid.weights.files import read_weights, write_weights

__all__ = [
    "WeightsReport",
    "advice",
    "classes",
    "copy_weights",
    "is_classifier",
    "is_trunk",
    "load_weights",
    "read_weights",
    "translated",
    "write_weights",
]
