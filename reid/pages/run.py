"""report.html of a run: its figures, curves, ranked lists, confusion matrices, command and configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reid.pages.charts import Chart
from reid.pages.template import write_page
from reid.pages.thumbnails import thumbnails
from reid.plots import RankedList

PICTURE = 1200 * 900  # pixels of a picture that is shown as it was drawn
PICTURES = 1_500_000  # characters of all of them


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: rows are true, columns predicted."""

    name: str
    values: Sequence[str]  # A names
    counts: Sequence[Sequence[int]]  # (A, A)


@dataclass(frozen=True)
class RunReport:
    """What the page shows; parts that are empty are left out."""

    title: str
    notes: Sequence[str]  # below the title
    tiles: Mapping[str, str]  # the main figures: name -> text
    table: Sequence[Sequence[str]]  # headings, then a name and its figures a row
    charts: Sequence[Chart]
    lists: Sequence[RankedList]
    selection: str  # which queries the lists are of
    matrices: Sequence[Matrix]
    pictures: Mapping[str, Path]  # heading -> a picture that was drawn
    command: str
    config: str  # as YAML


def write_run_report(report: RunReport, path: Path) -> Path:
    """One HTML file of less than 10 MB that refers to nothing outside itself."""
    files = list(dict.fromkeys(file for one in report.lists for file in (one.query, *one.gallery)))
    number = {file: k for k, file in enumerate(files)}
    lists = [
        {
            "title": one.title,
            "group": one.group,
            "ap": 100 * one.average_precision,
            "query": number[one.query],
            "camera": one.camera,
            "found": [
                {"picture": number[file], "match": bool(match), "camera": camera}
                for file, match, camera in zip(
                    one.gallery, one.match, one.cameras or [""] * len(one.gallery), strict=True
                )
            ],
        }
        for one in report.lists
    ]
    small = thumbnails(files)
    drawn = thumbnails(list(report.pictures.values()), area=PICTURE, limit=PICTURES)
    return write_page(
        "run.html.j2",
        path,
        report=report,
        data={"lists": lists, "pictures": small.uris},
        aspect=f"{small.aspect:.3f}",
        groups=list(dict.fromkeys(one.group for one in report.lists)),
        drawn={heading: uri for heading, uri in zip(report.pictures, drawn.uris, strict=True) if uri},
    )
