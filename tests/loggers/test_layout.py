"""What docs/wandb.md says of panels is the layout that task=dashboard saves."""

import re
from pathlib import Path

import pytest

from reid.loggers.layout import VIEWS, Panel

PAGE = (Path(__file__).parents[2] / "docs" / "wandb.md").read_text()
PANELS = {panel for sections in VIEWS.values() for section in sections for panel in section.panels}
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if "|" in line]


@pytest.mark.parametrize(
    "panel", sorted(PANELS, key=lambda panel: panel.title), ids=lambda panel: panel.title
)
def test_the_page_describes_a_panel(panel: Panel) -> None:
    found = [set(re.findall(r"`([^`]+)`", row[2])) for row in ROWS if len(row) == 3 and row[0] == panel.title]
    assert any(set(panel.keys) <= keys for keys in found), f"{panel.title}: {found}"


@pytest.mark.parametrize("view", VIEWS)
def test_titles_of_a_section_differ(view: str) -> None:
    assert PAGE.count(f"`{view}`")
    for section in VIEWS[view]:
        titles = [panel.title for panel in section.panels]
        assert f"### {section.name}" in PAGE
        assert len(set(titles)) == len(titles)
