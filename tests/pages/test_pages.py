"""Pages carry everything in themselves, escape what names say, and work in a browser."""

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid.pages import (
    Chart,
    Line,
    Matrix,
    RunReport,
    ShownJob,
    sweep_charts,
    training_charts,
    write_run_report,
    write_sweep_report,
)
from reid.pages.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from reid.pages.thumbnails import thumbnails
from reid.plots import RankedList

ODD = "<b>bold</b> & \"quoted\" </script> {{ 1 }} 'it'"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOADING = {"src", "href", "srcset", "data", "poster", "action", "xlink:href"}  # attributes that fetch
browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on this machine (Debian: apt install chromium)"
)


class Elements(HTMLParser):
    """All elements of a page, and the text of some."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[tuple[str, str]] = []  # id or tag of the innermost element, text
        self._open = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._open = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open, data))

    def text(self, name: str) -> str:
        return next(text for where, text in self.texts if where == name)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve, each of one colour; the last is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{k:02}.png" for k in range(12)]
    for k, path in enumerate(paths[:-1]):
        cv2.imwrite(str(path), np.full((64, 32, 3), 20 * k, np.uint8))
    paths[-1].write_bytes(b"none")
    return paths


@pytest.fixture(scope="module")
def page(pictures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four queries of identities 0 to 3; AP 0, 25, 50, 75 %; the first hit of odd ones is right."""
    lists = [
        RankedList(
            title=f"identity {k}",
            query=pictures[k],
            gallery=pictures[2:],
            match=[k % 2 == 1, *[k > 0] * 9],
            average_precision=k / 4,
            group=("best", ODD)[k // 2],
            camera="cam 1",
            cameras=["cam 2"] * 10,
        )
        for k in range(4)
    ]
    report = RunReport(
        title=ODD,
        notes=[ODD],
        tiles={"mAP": "37.5 %"},
        table=[["", "mAP"], [ODD, "37.5"]],
        charts=[Chart("losses", [Line(ODD, [1, 2, 3], [3, 2, 1])], marked=2)],
        lists=lists,
        selection=ODD,
        matrices=[Matrix(ODD, ["red", ODD], [[3, 1], [0, 0]])],
        pictures={ODD: pictures[0]},
        command=ODD,
        config=f"name: {ODD}\nsource: https://example.org/paper\n",
    )
    return write_run_report(report, tmp_path_factory.mktemp("page") / "report.html")


def test_nothing_comes_from_outside(page: Path) -> None:
    elements = Elements(page)
    loaded = [value for name, value in elements.attributes if name in LOADING]
    assert loaded
    assert all(value.startswith("data:image/jpeg;base64,") for value in loaded)
    assert not {"link", "iframe", "object", "embed", "base"} & set(elements.tags)
    code = "".join(text for where, text in elements.texts if where in ("style", "script"))
    assert not [word for word in ("url(", "@import", "fetch(", "import(", "http") if word in code]
    policy = next(value for name, value in elements.attributes if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_names_are_texts(page: Path) -> None:
    elements = Elements(page)
    assert elements.tags.count("b") == 2  # a tile's figure and a query's name
    content = page.read_text()
    assert "<b>bold" not in content
    assert content.count("</script>") == content.count("<script")
    assert ODD in [text for _, text in elements.texts]
    assert json.loads(elements.text("data"))["lists"][3]["group"] == ODD


def test_a_picture_is_stored_once(page: Path) -> None:
    data = json.loads(Elements(page).text("data"))
    assert len(data["pictures"]) == 12  # of 4 queries and 40 hits
    assert [k for k, uri in enumerate(data["pictures"]) if uri is None] == [
        next(hit["picture"] for hit in data["lists"][0]["found"][::-1])  # the file that is no picture
    ]


def test_pictures_keep_the_limit(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 256, 128, 3), dtype=np.uint8)
    paths = [tmp_path / f"{k}.png" for k in range(4)]
    for path, image in zip(paths, noise, strict=True):
        cv2.imwrite(str(path), image)
    free, bound = thumbnails(paths), thumbnails(paths, limit=30_000)
    assert sum(len(uri or "") for uri in free.uris) > 30_000
    assert sum(len(uri or "") for uri in bound.uris) <= 30_000
    assert free.aspect == pytest.approx(0.5, abs=0.01)


def test_lines_fill_the_chart() -> None:
    drawing = Chart("", [Line("a", [1, 2, 3, 4], [0, 5, float("nan"), 10])]).draw()
    third, middle = round(LEFT + (WIDTH - RIGHT - LEFT) / 3, 1), (TOP + HEIGHT - BOTTOM) / 2
    assert drawing.curves[0].path == (f"{LEFT},{HEIGHT - BOTTOM} {third:g},{middle:g} {WIDTH - RIGHT},{TOP}")
    assert [text for _, text in drawing.y_ticks] == ["0", "2", "4", "6", "8", "10"]
    lone = Chart("", [Line("a", [7], [50])], unit="%", marked=7).draw()
    assert lone.marked == (LEFT + WIDTH - RIGHT) / 2
    assert lone.curves[0].value == "50.0 %"
    with pytest.raises(ValueError, match="no finite point"):
        Chart("empty", [Line("a", [1], [float("inf")])]).draw()


def test_charts_of_a_training() -> None:
    rows = [
        {
            "epoch": 0.0,
            "train/loss": 2.0,
            "train/images_per_second": 90.0,
            "learning_rate": 0.1,
            "val/mAP": 0.4,
        },
        {
            "epoch": 1.0,
            "train/loss": 1.0,
            "train/images_per_second": 90.0,
            "learning_rate": 0.1,
            "val/mAP": 0.3,
        },
    ]
    charts = {chart.title: chart for chart in training_charts(rows)}
    assert list(charts) == ["Training loss", "Retrieval", "Learning rate"]
    assert [line.name for line in charts["Training loss"].lines] == ["weighted sum"]
    assert charts["Retrieval"].lines[0].y == pytest.approx([40, 30])
    assert {chart.marked for chart in charts.values()} == {1}
    assert training_charts([]) == []


def answer(page: Path, script: str, tmp_path: Path, *, width: int = 1280) -> dict:
    """What ``script`` returns in the page, by Chromium."""
    asked = tmp_path / "asked.html"
    wrapped = f"document.body.dataset.answer = JSON.stringify((() => {{ {script} }})());"
    asked.write_text(page.read_text().replace("</body>", f"<script>{wrapped}</script></body>"))
    done = subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900",
            "--dump-dom",
            asked.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = tmp_path / "found.html"
    found.write_text(done.stdout)
    answers = [value for name, value in Elements(found).attributes if name == "data-answer"]
    assert answers, done.stderr[-2000:]
    return json.loads(answers[0])


@browser
def test_lists_are_clicked_through_and_filtered(page: Path, tmp_path: Path) -> None:
    found = answer(
        page,
        """
        const names = () => [...document.querySelectorAll("#strip button")].map((each) => each.title);
        const shown = () => document.getElementById("name").textContent;
        const set = (field, value) => {
          filters.reset(); filters.elements[field].value = value; filters.oninput();
          return names();
        };
        const all = names(), first = shown();
        document.getElementById("next").click(); const second = shown();
        document.getElementById("strip").children[3].click(); const fourth = shown();
        const marks = [...document.querySelectorAll("#list figure")].map((each) => each.className);
        const missing = document.querySelectorAll("#list .cell:not(:has(img))").length;
        return { all, first, second, fourth, marks, missing, wrong: set("result", "wrong"),
          right: set("result", "right"), none: set("result", "none"),
          low: set("low", "50"), high: set("high", "25"),
          identity: set("identity", "2"), nobody: set("identity", "9"), position: position.textContent };
        """,
        tmp_path,
    )
    names = [f"identity {k}, AP {25 * k}.0 %" for k in range(4)]
    assert found["all"] == names
    assert [found["first"], found["second"], found["fourth"]] == ["identity 0", "identity 1", "identity 3"]
    assert found["marks"] == ["", *["right"] * 10]
    assert found["missing"] == 1
    assert found["wrong"] == names[::2]
    assert found["right"] == names[1::2]
    assert found["none"] == names[:1]
    assert found["low"] == names[2:]
    assert found["high"] == names[:2]
    assert found["identity"] == names[2:3]
    assert found["nobody"] == []
    assert found["position"] == "no query passes the filter"


@browser
def test_a_telephone_scrolls_down_alone(page: Path, tmp_path: Path) -> None:
    found = answer(
        page,
        "return { page: document.documentElement.scrollWidth, window: innerWidth };",
        tmp_path,
        width=400,
    )
    assert found["page"] <= found["window"] <= 500


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    for job in ("0_osnet-duke", "2_odd #1"):
        (tmp_path / job).mkdir()
        (tmp_path / job / "report.html").touch()
    rows = [
        {"job": "0", "overrides": f"note={ODD}", "status": "finished", "mAP": "9.5"},
        {"job": "1", "overrides": "seed=2", "status": "failed", "error": "ValueError: no"},
        {"job": "2_odd #1", "overrides": "seed=3", "status": "finished", "mAP": "71.0", "rank1": "80.0"},
    ]
    return write_sweep_report(rows, tmp_path)


def test_a_sweep_leads_to_its_jobs(sweep: Path) -> None:
    elements = Elements(sweep)
    links = [value for name, value in elements.attributes if name == "href"]
    assert links == ["0_osnet-duke/report.html", "2_odd%20%231/report.html"]
    assert not [value for name, value in elements.attributes if name == "src"]
    assert "b" not in elements.tags
    assert f"note={ODD}" in [text for _, text in elements.texts]
    columns = ["job", "overrides", "status", "mAP", "rank1", "error"]
    assert [text for where, text in elements.texts if where == "button" and text.strip()] == columns
    assert any("3 jobs: 2 finished, 1 failed" in text for _, text in elements.texts)
    with pytest.raises(ValueError, match="at least one job"):
        write_sweep_report([], sweep.parent)


@browser
def test_a_sweep_is_sorted(sweep: Path, tmp_path: Path) -> None:
    found = answer(
        sweep,
        """
        const rows = () => [...document.querySelectorAll("#jobs tbody tr")];
        const jobs = () => rows().map((row) => row.cells[0].textContent);
        const heading = document.querySelectorAll("#jobs th button")[3];
        heading.click(); const highest = jobs(); heading.click();
        return { heading: heading.textContent, highest, lowest: jobs() };
        """,
        tmp_path,
    )
    assert found["heading"] == "mAP"
    assert found["highest"] == ["2_odd #1", "0", "1"]
    assert found["lowest"] == ["0", "2_odd #1", "1"]


@browser
def test_a_job_is_pointed_out_wherever_it_is_shown(tmp_path: Path) -> None:
    jobs = [ShownJob(str(k), {"lr": f"{k + 1}"}, 0.5, [{"epoch": 0, "val/mAP": 0.5}]) for k in range(7)]
    rows = [{"job": each.number, "status": "finished"} for each in jobs]
    page = write_sweep_report(rows, tmp_path, charts=sweep_charts(jobs))
    found = answer(
        page,
        """
        const over = (each) => each.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
        const picked = () => [...document.querySelectorAll(".picked")].map((each) => each.tagName);
        over(document.querySelectorAll("#jobs tbody tr")[6].cells[1]); const row = picked();
        over(document.querySelector(".legend span")); const name = picked();
        over(document.body);
        return { row, name, none: picked(), plain: document.querySelector(".legend").textContent };
        """,
        tmp_path,
    )
    assert found["row"] == ["TR", "g", "circle"]
    assert found["name"] == ["TR", "SPAN", "g", "circle"]
    assert found["none"] == []
    assert "2 more" in found["plain"]
