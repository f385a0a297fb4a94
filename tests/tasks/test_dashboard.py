"""task=dashboard: views saved at a server on loopback that answers as wandb's does; and no way to it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from reid.loggers.charts import BARS, CURVES, MATRIX
from reid.loggers.layout import VIEWS

pytest.importorskip("wandb_workspaces")


class Answering(BaseHTTPRequestHandler):
    """Knows who asks, and keeps the views that are saved."""

    saved: ClassVar[list[dict]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/graphql" and "upsertView" in (asked := json.loads(body))["query"]:
            self.saved.append(asked["variables"])
        viewer = {
            "id": "1",
            "entity": "someone",
            "username": "someone",
            "flags": "{}",
            "teams": {"edges": []},
        }
        view = {"view": {"id": "view", "name": "nw-view-v"}, "inserted": True}
        answer = json.dumps({"data": {"viewer": viewer, "upsertView": view}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_views_are_saved(program, server: str) -> None:
    words = ("task=dashboard", "task.project=mine")
    key = 40 * "a"
    outcome = program(*words, WANDB_BASE_URL=server, WANDB_API_KEY=key, WANDB_MODE="online")
    assert outcome.status == 0, outcome.err
    assert [each["displayName"] for each in Answering.saved] == [f"reid {name}" for name in VIEWS]
    for name, each in zip(VIEWS, Answering.saved, strict=True):
        assert (each["entityName"], each["projectName"]) == ("someone", "mine")
        assert f"reid {name}: {server}/someone/mine?nw=view" in outcome.err
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
