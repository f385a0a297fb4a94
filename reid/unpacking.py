"""Zip files of a folder, unpacked once: benchmarks that a cloud keeps as one object."""

import logging
import os
import shutil
import stat
import zipfile
from pathlib import Path, PureWindowsPath

from reid.storage import locked
from reid.whole import write_whole

log = logging.getLogger(__name__)

LINK = stat.S_IFLNK


def unpack_all(folder: Path, into: Path) -> Path:
    """Unpack each zip file of a folder, if that has not been done since it last changed.

    ``NAME.zip`` becomes the folder ``NAME``: what is in it, or its one folder where that is called so too. A
    folder ``NAME`` that lies beside it already is used instead. Folders appear whole or not at all, and
    processes of a machine wait for the one that unpacks.

    Args:
        folder: not looked at below its own level.
        into: where the folders go, ``folder`` itself or another one; another one also gets links to what
            else lies in ``folder``, so that it stands for it.

    Returns:
        ``into``, or ``folder`` where it has no zip file.

    Raises:
        ValueError: no zip file, a damaged or an encrypted one, or one with names that lead out of its folder.
        OSError: the disk is too small.
    """
    archives = sorted(path for path in folder.glob("*.zip") if path.is_file())
    if not archives:
        return folder
    into.mkdir(parents=True, exist_ok=True)
    with locked(into / ".unpacking.lock"):
        if into != folder:
            for path in folder.iterdir():
                if path not in archives and not os.path.lexists(into / path.name):
                    (into / path.name).symlink_to(path.absolute())
        for archive in archives:
            unpack_once(archive, into / archive.stem)
    return into


def unpack_once(archive: Path, place: Path) -> None:
    """Make ``place`` of a zip file, unless it was made of it as it is now, or by somebody else."""
    mark, state = place.with_name(f".{place.name}.unpacked"), archive.stat()
    told = f"{state.st_size} {state.st_mtime_ns}"
    if place.exists() and (not mark.is_file() or mark.read_text() == told):
        return
    log.info(f"unpacking {archive}, {state.st_size / 1e6:.1f} MB, into {place}")
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        extract(archive, draft)
        inner = draft / place.name
        whole = inner if inner.is_dir() and len(list(draft.iterdir())) == 1 else draft
        if place.exists():
            shutil.rmtree(place)
        write_whole(mark, told.encode())
        os.replace(whole, place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def extract(archive: Path, folder: Path) -> None:
    """All files of a zip file into a folder; what it says about itself is looked at first.

    Raises:
        ValueError, OSError: as `unpack_all`.
    """
    try:
        with zipfile.ZipFile(archive) as content:
            entries = content.infolist()
            for entry in entries:
                check_entry(entry, archive)
            wanted, free = sum(entry.file_size for entry in entries), shutil.disk_usage(folder.parent).free
            if wanted > free:
                raise OSError(
                    f"{archive} unpacks to {wanted / 1e9:.1f} GB, and {folder.parent} has {free / 1e9:.1f} GB"
                    " left: choose another disk with storage.cache=DIR"
                )
            content.extractall(folder)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise ValueError(f"{archive} is no zip file, or a damaged one: {error}; copy it again") from error


def check_entry(entry: zipfile.ZipInfo, archive: Path) -> None:
    """Raise ``ValueError`` for one that lies elsewhere, is a link, or is encrypted."""
    name = PureWindowsPath(entry.filename)  # knows drives, and both slashes
    if name.drive or name.root or ".." in name.parts:
        raise ValueError(
            f"{archive} holds {entry.filename!r}, which lies outside of it: nothing was unpacked"
        )
    if stat.S_IFMT(entry.external_attr >> 16) == LINK:
        raise ValueError(f"{archive} holds {entry.filename!r}, which is a link: nothing was unpacked")
    if entry.flag_bits & 1:
        raise ValueError(f"{archive} is encrypted: unpack it yourself, and name the folder")
