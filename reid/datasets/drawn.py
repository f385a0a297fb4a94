"""What the drawn benchmarks share: a folder that says what it holds, and appears at once and whole."""

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["FILE_BYTES", "check_range", "check_stamp", "name_folder", "open_draft", "publish", "write_stamp"]

FILE_BYTES = 4096  # a file takes at least one block of a disk


def check_range(name: str, value: int, *, low: int, high: int | None) -> None:
    """Raise ``ValueError`` unless ``low <= value <= high``; ``high`` None is no limit."""
    if value < low or (high is not None and value > high):
        allowed = f"{low} and above" if high is None else f"{low} to {high}"
        raise ValueError(f"{name} is {value}; the benchmark can be drawn with {allowed}")


def name_folder(kind: str, version: int, *, seed: int, sizes: Mapping[str, int], usual: bool) -> str:
    """The folder of these pictures and no others; ``usual`` sizes go without saying."""
    name = f"{kind}-v{version}-seed{seed}"
    return name if usual else "-".join((name, *map(str, sizes.values())))


@contextmanager
def open_draft(folder: Path, *, need: int) -> Iterator[Path]:
    """The name of a folder beside ``folder`` to draw ``need`` bytes in and publish; leftovers are removed.

    Raises:
        OSError: the disk is full; the message has the folder, the space needed and the remedy.
    """
    draft = folder.with_name(f".{folder.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield draft
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = (
            f"no space left to draw the benchmark {folder}: it needs {need / 2**20:.0f} MiB; free some, or"
        )
        raise OSError(error.errno, f"{message} set another folder for data") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def publish(draft: Path, folder: Path) -> None:
    """Give the draft its name, unless another process was faster: then its work is as good as ours."""
    try:
        draft.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def write_stamp(file: Path, stamp: Mapping[str, int]) -> None:
    """Say in ``file`` what its folder holds."""
    file.write_text(json.dumps(stamp, indent=2) + "\n")


def check_stamp(file: Path, stamp: Mapping[str, int]) -> Path:
    """The folder of ``file``, which says what was asked for.

    Raises:
        FileExistsError: something else has the folder's name.
    """
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        found = None
    if found != stamp:
        message = f"{file.parent} is not the benchmark {stamp}: rename it, or name another root"
        raise FileExistsError(message)
    return file.parent
