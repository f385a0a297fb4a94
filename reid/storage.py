"""Files behind URLs, s3://, obs:// or any other of fsspec's: read through a local cache, and copied out."""

import fcntl
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlsplit

import fsspec

from reid.whole import whole, write_whole

log = logging.getLogger(__name__)

ATTEMPTS = 4
PAUSE = 2.0  # seconds before the second attempt; twice as long before each further one
AT_ONCE = 16  # files under way: a benchmark is tens of thousands of small ones, and each waits for an answer
FINAL = (FileNotFoundError, PermissionError, ImportError, ValueError)  # the same at the next attempt
CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")  # botocore's, by name

Answer = TypeVar("Answer")
Copied = dict[str, tuple[int, int]]  # name in the folder -> size and time (ns) of what has been copied


def is_url(value: object) -> bool:
    """Whether this is no path but a URL."""
    return isinstance(value, str) and re.match(r"[a-z][a-z0-9+.-]+://", value) is not None


def connect(url: str, *, endpoint: str | None = None) -> tuple[Any, str]:
    """fsspec's file system and the path in it; obs:// is S3 at an endpoint that somebody has to name.

    Raises:
        ValueError: an unknown protocol, one whose package is missing, or obs:// without an endpoint.
    """
    protocol = url.partition("://")[0] if is_url(url) else "file"
    if protocol == "obs" and endpoint is None:
        raise ValueError(
            f"{url} needs storage.endpoint=https://obs.REGION.myhuaweicloud.com, or your own one"
        )
    options: dict[str, Any] = {"auto_mkdir": True} if protocol in ("file", "local") else {}
    if endpoint is not None and protocol in ("s3", "s3a", "obs"):
        # newer checksums are Amazon's alone, and OBS refuses https://ENDPOINT/BUCKET
        settings: dict[str, Any] = dict.fromkeys(
            ("request_checksum_calculation", "response_checksum_validation"), "when_required"
        )
        if protocol == "obs":
            settings["s3"] = {"addressing_style": "virtual"}
        options = {"endpoint_url": endpoint, "config_kwargs": settings}
    target = "s3" + url.removeprefix("obs") if protocol == "obs" else url
    try:
        files, path = fsspec.url_to_fs(target, **options)
    except ImportError as error:
        remedy = "pip install reid-lightning[cloud]" if target.startswith("s3") else str(error)
        raise ValueError(f"{url}: a package for {protocol}:// is missing: {remedy}") from error
    except ValueError as error:
        raise ValueError(f"{url}: {error}; use s3://, obs:// or another protocol of fsspec") from error
    return files, path.rstrip("/")


def fetch(url: str, cache: Path, *, endpoint: str | None = None, start: str = "") -> Path:
    """Bring a file, or a folder and all below it, into the cache, if it is not there as it is behind the URL.

    A file is fetched if the cached one has another size or, where the protocol tells it, another time. Files
    appear whole or not at all. Processes of a machine fetch one after the other.

    Args:
        cache: made if need be; what lies there under other names stays.
        start: a name that the processes of one start share; only the first of them looks behind the URL.

    Returns:
        Its place in the cache.

    Raises:
        ValueError: the URL or what it needs is not in order.
        FileNotFoundError: there is nothing.
        OSError: it was refused, or failed at each attempt.
    """
    files, root = connect(url, endpoint=endpoint)
    place = place_of(url, cache, endpoint=endpoint)
    mark = cache / f".{hashlib.sha256(str(place).encode()).hexdigest()[:16]}"
    with locked(mark.with_suffix(".lock")):
        if start and place.exists() and mark.is_file() and mark.read_text() == start:
            return place
        files.invalidate_cache()
        found = retried(url, lambda: listing(files, root))
        if not found:
            raise FileNotFoundError(f"{url} does not exist, or holds no files")
        missing = [
            (name, place / name if name else place, info)
            for name, info in found.items()
            if not is_same(place / name if name else place, info)
        ]
        if missing:
            size = sum(info.get("size") or 0 for _, _, info in missing)
            log.info(
                f"fetching {len(missing)} of {len(found)} files, {size / 1e6:.1f} MB, of {url} to {place}"
            )
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda each: bring(files, root, *each), missing))
        write_whole(mark, start.encode())
    return place


def place_of(url: str, cache: Path, *, endpoint: str | None) -> Path:
    """Where the cache keeps it: PROTOCOL[@ENDPOINT]/BUCKET/NAME."""
    protocol, _, rest = url.partition("://")
    names = [name for name in rest.split("/") if name]
    if ".." in names or not names:
        raise ValueError(f"{url} names no file and no folder: use PROTOCOL://BUCKET/NAME, without ..")
    return cache.joinpath(f"{protocol}@{urlsplit(endpoint).netloc}" if endpoint else protocol, *names)


def listing(files: Any, root: str) -> dict[str, dict[str, Any]]:
    """Names below the root -> what is known of the files; a root that is a file has the name ''."""
    info = files.info(root)
    if info["type"] == "file" and info["name"].rstrip("/") == root:
        return {"": info}
    found = {
        name[len(root) :].lstrip("/"): each
        for name, each in files.find(root, detail=True).items()
        if each["type"] == "file" and not name.endswith("/")  # the mark of an empty folder
    }
    for name in found:
        if not name or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{root} holds {name!r}, which is no name for a file")
    return found


def is_same(place: Path, info: dict[str, Any]) -> bool:
    """Whether a file in the cache is still the one described."""
    if not place.is_file() or place.stat().st_size != info.get("size"):
        return False
    changed = time_of(info)
    return changed is None or int(place.stat().st_mtime) == int(changed)


def time_of(info: dict[str, Any]) -> float | None:
    """When a file was last changed, in seconds since the epoch; None where its protocol does not say."""
    found = next((info[key] for key in ("LastModified", "mtime", "created") if key in info), None)
    return found.timestamp() if isinstance(found, datetime) else found


def bring(files: Any, root: str, name: str, place: Path, info: dict[str, Any]) -> None:
    """Fetch one file, whole, with its time."""
    source = f"{root}/{name}" if name else root

    def attempt() -> None:
        with whole(place) as draft:
            files.get_file(source, str(draft))
            size, wanted = draft.stat().st_size, info.get("size")
            if wanted is not None and size != wanted:
                raise OSError(f"{size} of {wanted} bytes arrived")
            changed = time_of(info)
            if changed is not None:
                os.utime(draft, (changed, changed))

    retried(source, attempt)


def copy_out(folder: Path, url: str, *, copied: Copied, endpoint: str | None = None) -> int:
    """Copy a folder's files behind a URL, those that have changed since they were last copied.

    Drafts (`.name`) stay behind, and so do links to folders.

    Args:
        copied: what has been copied, which is brought up to date.
        url: a folder, made where the protocol knows folders; a path of this machine will do.

    Returns:
        How many files were copied.

    Raises:
        ValueError: the URL or what it needs is not in order.
        OSError: it was refused, or failed at each attempt.
    """
    files, root = connect(url, endpoint=endpoint)
    changed = {name: state for name, state in states(folder) if copied.get(name) != state}

    def put(name: str) -> None:
        if (folder / name).is_file():  # else it went meanwhile
            retried(f"{url}: {name}", lambda: files.put_file(str(folder / name), f"{root}/{name}"))
            copied[name] = changed[name]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(put, changed))
    return len(changed)


def send(path: Path, url: str, *, endpoint: str | None = None) -> None:
    """Copy one file behind a URL.

    Raises:
        ValueError, OSError: as `copy_out`.
    """
    files, target = connect(url, endpoint=endpoint)
    retried(url, lambda: files.put_file(str(path), target))


def states(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each file's name in the folder, and its size and time (ns)."""
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names if not name.startswith(".")):
            if path.is_file():
                state = path.stat()
                yield path.relative_to(folder).as_posix(), (state.st_size, state.st_mtime_ns)


def retried(what: str, call: Callable[[], Answer]) -> Answer:
    """The call's answer, asked for several times with growing pauses.

    Raises:
        FileNotFoundError, ValueError: at once.
        OSError: refused, which is said at once, or failed each time.
    """
    for attempt in range(ATTEMPTS):
        try:
            return call()
        except Exception as error:  # each protocol has its own
            refused = isinstance(error, PermissionError) and error.filename is None  # no file of this machine
            if refused or type(error).__name__ in CREDENTIALS:
                raise PermissionError(
                    f"{what}: no credentials, or they were refused ({error}); for s3:// and obs:// set"
                    " AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                ) from error
            if isinstance(error, FINAL):
                raise
            if attempt == ATTEMPTS - 1:
                raise OSError(f"{what}: failed {ATTEMPTS} times: {type(error).__name__}: {error}") from error
            log.warning(f"{what}: {type(error).__name__}: {error}; once more in {PAUSE * 2**attempt:g} s")
            time.sleep(PAUSE * 2**attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among the processes of this machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
