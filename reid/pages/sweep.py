"""report.html of a sweep: a table of its jobs that sorts, with links to the jobs' own pages."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from reid.pages.charts import Chart
from reid.pages.template import write_page

HIDDEN = ("report",)  # what a row says for the page alone
TEXTS = ("overrides", "error")  # columns that may be long


def write_sweep_report(
    rows: Sequence[Mapping[str, str]], folder: Path, *, charts: Sequence[Chart] = ()
) -> Path:
    """Write ``report.html`` into the sweep's folder.

    Args:
        rows: a job each, in the order to be shown: ``job`` (its number or its folder's name), ``overrides``,
            ``status``, and its figures. ``report`` may give its page, relative to the folder; else it is
            looked for in the job's folder. A row may lack a value.
        charts: of the jobs; a line's key is its job's number.

    Raises:
        ValueError: without rows.
    """
    if not rows:
        raise ValueError(f"{folder}: a sweep's page needs at least one job")
    columns = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in HIDDEN]
    columns.sort(key=lambda column: column == "error")  # the last, as it is long
    counted = Counter(row["status"] for row in rows if row.get("status"))
    states = ", ".join(f"{count} {status}" for status, count in counted.items())
    return write_page(
        "sweep.html.j2",
        folder / "report.html",
        title=f"Sweep {folder.name}",
        summary=f"{len(rows)} job{'s' if len(rows) > 1 else ''}" + (f": {states}" if states else ""),
        columns=columns,
        texts=TEXTS,
        charts=charts,
        rows=[
            {
                "cells": [row.get(key, "") for key in columns],
                "kinds": [kind(key, row.get(key, "")) for key in columns],
                "link": report_of(row, folder),
                "key": row.get("job", ""),
            }
            for row in rows
        ],
    )


def kind(column: str, value: str) -> str:
    """How a cell looks."""
    if column == "status":
        return value if value in ("finished", "failed", "interrupted") else ""
    return "text" if column in TEXTS else ""


def report_of(row: Mapping[str, str], folder: Path) -> str:
    """A job's page as a link from the sweep's folder; empty where there is none."""
    job = row.get("job", "")
    places = [folder / row["report"]] if row.get("report") else []
    if job:
        places += [folder / job / "report.html"]
        places += [each / "report.html" for each in folder.iterdir() if each.name.startswith(f"{job}_")]
    found = next((place for place in places if place.is_file()), None)
    return quote(Path(os.path.relpath(found, folder)).as_posix()) if found else ""
