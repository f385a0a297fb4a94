"""task=dashboard: views saved at a server on loopback that answers as wandb's does; and no way to it."""

import json
from collections.abc import Iterator

import pytest
import wandb

from reid.loggers.charts import BARS, CURVES, MATRIX
from reid.loggers.layout import VIEWS
from tests.tasks.wandb_server import Server, serving

pytest.importorskip("wandb_workspaces")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as found:
        wandb.teardown()  # what it read of the environment
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found
        wandb.teardown()


def test_views_are_saved(program, server: Server) -> None:
    outcome = program.inside("task=dashboard", "task.project=mine")
    assert outcome.status == 0, outcome.err
    assert [each["displayName"] for each in server.views] == [f"reid {name}" for name in VIEWS]
    for name, each in zip(VIEWS, server.views, strict=True):
        assert (each["entityName"], each["projectName"]) == ("someone", "mine")
        assert f"reid {name}: {server.address}/someone/mine?nw=view" in outcome.err
        assert panels(json.loads(each["spec"])) == [
            (section.name, panel.kind, set(panel.keys)) for section in VIEWS[name] for panel in section.panels
        ]


def panels(spec: dict) -> list[tuple[str, str, set[str]]]:
    """Section, kind and keys of each panel of a view."""
    return [
        (section["name"], *kind_and_keys(panel["viewType"], panel["config"]))
        for section in spec["section"]["panelBankConfig"]["sections"]
        for panel in section["panels"]
    ]


def kind_and_keys(kind: str, config: dict) -> tuple[str, set[str]]:
    if kind == "Run History Line Plot":
        assert config["xAxis"] == "trainer/global_step"
        return "curves", set(config["metrics"])
    if kind == "Bar Chart":
        return "bars", set(config["metrics"])
    if kind == "Media Browser":
        return "pictures", set(config["mediaKeys"])
    if kind == "Parallel Coordinates Plot":
        names = [column["accessor"].split(":") for column in config["columns"]]
        return "parallel", {key.replace(".value", "") if kind == "config" else key for kind, key in names}
    if kind == "Parameter Importance":
        return "importance", {config["targetKey"]}
    if kind == "Run Comparer":
        return "difference", set()
    assert kind == "Vega2"
    (query,) = config["userQuery"]["queryFields"]
    table = next(each["args"][0]["value"] for each in query["fields"] if each["name"] == "summaryTable")
    preset = {"charts/cmc_table": CURVES, "charts/pck_table": BARS}.get(table, MATRIX)
    assert (config["panelDefId"], config["fieldSettings"]) == (preset.name, preset.fields)
    return "table", {table.removesuffix("_table")}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["task.views=[people,pose]"], "wandb cannot be reached (WANDB_MODE=offline)"),
        (["task.views=[dogs]"], "task.views=dogs: use some of people, vehicles, pose"),
        (["task.views=[]"], "task.views=[]: use some of"),
    ],
)
def test_a_view_that_cannot_be_saved(program, words: list[str], complaint: str) -> None:
    outcome = program.inside("task=dashboard", *words)
    assert outcome.status == 1
    assert complaint in outcome.err
    layout = outcome.folder / "dashboard.json"
    if "offline" in complaint:
        assert f"The layout is in {layout}, and docs/wandb.md says how" in outcome.err
        assert set(json.loads(layout.read_text())) == {"people", "pose"}
