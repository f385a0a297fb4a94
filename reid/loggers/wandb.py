"""A run in Weights & Biases: figures of epochs, and the charts and pictures of its end."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import wandb
from pytorch_lightning.loggers import WandbLogger

from reid.loggers.charts import bar_chart, cmc_chart, confusion_chart
from reid.pages import Chart, Matrix

ARTIFACTS = ("none", "best")


class WandbRun(WandbLogger):
    """Lightning's logger, and what a dashboard shows of a finished run.

    Keys begin with ``train/`` and ``val/`` (a value an epoch), ``final/`` (figures of the best epoch),
    ``charts/`` (tables that wandb draws) and ``pictures/``.

    Args:
        artifact: "best" keeps a training's best checkpoint in wandb, "none" does not.
        settings: of Lightning's ``WandbLogger`` and of ``wandb.init``.

    Raises:
        ValueError: another ``artifact``.
    """

    def __init__(self, *, artifact: Literal["none", "best"] = "none", **settings: Any) -> None:
        if artifact not in ARTIFACTS:
            raise ValueError(f"logger.artifact={artifact}: use {' or '.join(ARTIFACTS)}")
        super().__init__(**settings)
        self.artifact = artifact
        if self.save_dir is not None:  # tables wait there to be sent; else in the user's home
            os.environ.setdefault("WANDB_DATA_DIR", os.path.join(self.save_dir, "wandb"))
        self._wandb_init.pop("anonymous")  # a setting that wandb warns of, even of None

    def log_end(
        self,
        numbers: Mapping[str, float],
        *,
        cmc: Chart | None = None,
        pck: Mapping[str, float] | None = None,
        matrices: Sequence[Matrix] = (),
        pictures: Mapping[str, Path],
        step: int,
    ) -> None:
        """Send all that is known at a run's end, as one row of its history.

        Args:
            numbers: key -> value.
            cmc: in per cent over ranks, drawn as ``charts/cmc``.
            pck: group of keypoints -> per cent, drawn as ``charts/pck``.
            matrices: drawn as ``charts/confusion_<name>``.
            pictures: name -> a file, shown as ``pictures/<name>``; it may go away afterwards.
            step: optimiser steps so far.
        """
        row: dict[str, Any] = dict(numbers)
        if cmc is not None:
            row["charts/cmc"] = cmc_chart(cmc)
        if pck is not None:
            row["charts/pck"] = bar_chart(pck, title="PCK of groups of keypoints")
        row |= {f"charts/confusion_{matrix.name}": confusion_chart(matrix) for matrix in matrices}
        row |= {f"pictures/{name}": wandb.Image(str(path)) for name, path in pictures.items()}
        self.log_metrics(row, step)

    def log_checkpoint(self, path: Path, name: str, *, metadata: Mapping[str, Any]) -> None:
        """Keep a checkpoint as an artifact's newest version; the file stays where it is until it is sent.

        Args:
            name: of the artifact; what wandb allows in no name becomes ``_``.
            metadata: plain values, which may be nested.
        """
        artifact = wandb.Artifact(re.sub(r"[^\w.-]", "_", name), type="model", metadata=dict(metadata))
        artifact.add_file(str(path), policy="immutable", skip_cache=True)  # else it is copied twice
        self.experiment.log_artifact(artifact, aliases=["best"])

    def finish(self) -> None:
        """End the run; another one in this process would else go on in it."""
        self.experiment.finish()
