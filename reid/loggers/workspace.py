"""Sections of panels as a saved view of a wandb project; needs wandb-workspaces."""

from collections.abc import Callable, Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from reid.loggers.charts import BARS, CURVES, MATRIX
from reid.loggers.layout import Kind, Panel, Section

STEP = "trainer/global_step"  # what curves run over


def view(name: str, sections: Sequence[Section], *, entity: str, project: str) -> ws.Workspace:
    """A view that lists runs by their final figure; nothing is sent before its ``save()``."""
    figure = sections[0].panels[0].keys[0]
    return ws.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=[
            ws.Section(
                name=section.name,
                panels=[PANELS[panel.kind](panel) for panel in section.panels],
                is_open=True,
            )
            for section in sections
        ],
        runset_settings=ws.RunsetSettings(
            order=[ws.Ordering(ws.Summary(figure), ascending=False)],
            pinned_columns=[f"summary:{figure}"],
        ),
    )


def table(panel: Panel) -> wr.CustomChart:
    """As the run draws it."""
    (key,) = panel.keys
    preset = MATRIX if "confusion" in key else BARS if key.endswith("pck") else CURVES
    return wr.CustomChart(
        query={"summaryTable": {"tableKey": f"{key}_table"}},
        chart_name=preset.name,
        chart_fields=dict(preset.fields),
        chart_strings={"title": panel.title},
    )


def parallel(panel: Panel) -> wr.ParallelCoordinatesPlot:
    """Choices, then the figure."""
    *choices, figure = panel.keys
    columns = [wr.Config(choice) for choice in choices] + [wr.SummaryMetric(figure)]
    return wr.ParallelCoordinatesPlot(
        title=panel.title, columns=[wr.ParallelCoordinatesPlotColumn(metric=each) for each in columns]
    )


PANELS: dict[Kind, Callable[[Panel], Any]] = {
    "curves": lambda panel: wr.LinePlot(title=panel.title, x=STEP, y=list(panel.keys)),
    "bars": lambda panel: wr.BarPlot(title=panel.title, metrics=list(panel.keys)),
    "table": table,
    "pictures": lambda panel: wr.MediaBrowser(title=panel.title, media_keys=list(panel.keys)),
    "parallel": parallel,
    "importance": lambda panel: wr.ParameterImportancePlot(with_respect_to=panel.keys[0]),
    "difference": lambda panel: wr.RunComparer(diff_only="split"),
}
