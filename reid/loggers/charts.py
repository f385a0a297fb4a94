"""Tables that wandb draws, and by which of its charts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import wandb

from reid.pages import Chart, Matrix


@dataclass(frozen=True)
class Preset:
    """One of wandb's charts: its name, and its fields -> columns of the table."""

    name: str
    fields: Mapping[str, str]

    def chart(self, rows: list[list[Any]], *, title: str) -> Any:
        """A table of rows in the order of the fields, to be drawn so."""
        return wandb.plot_table(
            vega_spec_name=self.name,
            data_table=wandb.Table(columns=[*self.fields.values()], data=rows),
            fields=dict(self.fields),
            string_fields={"title": title},
        )


CURVES = Preset("wandb/line/v0", {"x": "rank", "y": "percent", "stroke": "line"})
BARS = Preset("wandb/bar/v0", {"label": "label", "value": "percent"})
MATRIX = Preset(
    "wandb/confusion_matrix/v1",
    {"Actual": "Actual", "Predicted": "Predicted", "nPredictions": "nPredictions"},
)


def cmc_chart(cmc: Chart) -> Any:
    """Shares of queries in per cent over ranks, a line a distance."""
    return CURVES.chart([[x, y, line.name] for line in cmc.lines for x, y in line.points], title=cmc.title)


def bar_chart(shares: Mapping[str, float], *, title: str) -> Any:
    """A bar a share, in per cent."""
    return BARS.chart([[label, value] for label, value in shares.items()], title=title)


def confusion_chart(matrix: Matrix) -> Any:
    """How many images of each true value are called what."""
    rows = [
        [true, named, count]
        for true, counts in zip(matrix.values, matrix.counts, strict=True)
        for named, count in zip(matrix.values, counts, strict=True)
    ]
    return MATRIX.chart(rows, title=matrix.name)
