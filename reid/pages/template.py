"""Templates of pages: HTML with everything inside, where every text of a run is escaped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reid.whole import write_whole

FOLDER = Path(__file__).parent
ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_page(name: str, path: Path, **values: Any) -> Path:
    """Render a template of this folder, all of it or nothing."""
    write_whole(path, ENVIRONMENT.get_template(name).render(**values).encode())
    return path
