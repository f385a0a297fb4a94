"""Files that appear whole or not at all: written beside their place, then renamed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Another name in the same folder, which is made if need be; what is written there becomes ``path``.

    If the block raises, what stood at ``path`` stays and nothing else is left. Processes that write the same
    file do not meet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """All of a file or nothing."""
    with whole(path) as draft:
        draft.write_bytes(content)
