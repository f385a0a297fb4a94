"""A run in Weights & Biases: figures of epochs, and the charts and pictures of its end."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import wandb
from pytorch_lightning.loggers import WandbLogger

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
        self._wandb_init.pop("anonymous")  # a setting that wandb warns of, even of None

    def log_end(
        self,
        numbers: Mapping[str, float],
        *,
        charts: Sequence[Chart] = (),
        bars: Mapping[str, Mapping[str, float]],
        matrices: Sequence[Matrix] = (),
        pictures: Mapping[str, Path],
        step: int,
    ) -> None:
        """Send all that is known at a run's end, as one row of its history.

        Args:
            numbers: key -> value.
            charts: lines, drawn as ``charts/<title>``.
            bars: name -> label -> value, drawn as ``charts/<name>``.
            matrices: drawn as ``charts/confusion_<name>``.
            pictures: name -> a file, shown as ``pictures/<name>``; it may go away afterwards.
            step: optimiser steps so far.
        """
        row: dict[str, Any] = dict(numbers)
        row |= {f"charts/{chart.title.lower()}": line_chart(chart) for chart in charts}
        row |= {f"charts/{name}": bar_chart(values, title=name) for name, values in bars.items()}
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


def line_chart(chart: Chart) -> Any:
    """Lines as a table of (x, y, line), which wandb draws."""
    value = chart.unit or "value"
    rows = [[x, y, line.name] for line in chart.lines for x, y in line.points]
    table = wandb.Table(columns=[chart.axis, value, "line"], data=rows)
    return wandb.plot.line(table, x=chart.axis, y=value, stroke="line", title=chart.title)


def bar_chart(values: Mapping[str, float], *, title: str) -> Any:
    """Values as a table of (label, value), which wandb draws."""
    table = wandb.Table(columns=["label", "value"], data=[[label, value] for label, value in values.items()])
    return wandb.plot.bar(table, label="label", value="value", title=title)


def confusion_chart(matrix: Matrix) -> Any:
    """A matrix as a table of (true, named, images), drawn as those of ``wandb.plot.confusion_matrix``."""
    columns = ["Actual", "Predicted", "nPredictions"]
    rows = [
        [true, named, count]
        for true, counts in zip(matrix.values, matrix.counts, strict=True)
        for named, count in zip(matrix.values, counts, strict=True)
    ]
    return wandb.plot_table(
        vega_spec_name="wandb/confusion_matrix/v1",
        data_table=wandb.Table(columns=[*columns], data=rows),
        fields={column: column for column in columns},
        string_fields={"title": matrix.name},
    )
