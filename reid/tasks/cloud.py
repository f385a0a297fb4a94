"""Paths that are URLs: fetched before the task begins, and its outputs copied out while it runs."""

import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from reid.launch import is_first, is_job, name_of_start
from reid.loading.pictures import names_in
from reid.storage import AT_ONCE, Copied, connect, copy_out, fetch, is_url, send
from reid.unpacking import unpack_all

log = logging.getLogger(__name__)

FOLDERS = ("paths.data", "data.path")  # in this order: others are made of the first
FILES = (
    "data.table",
    "data.pose_checkpoint",
    "checkpoint",
    "model_file",
    "resume",
    "model.weights",
    "model.trunk_weights",
)
PICTURES = ("task.images", "task.queries", "task.gallery", "task.query", "task.inputs")  # files or folders
WITH_CARDS = ("model_file",)  # a .json beside the file says what it takes
OUTPUT = "task.to"


def bring_in(config: DictConfig) -> None:
    """Fetch what URLs of the configuration stand for, and name the local copies instead.

    Raises:
        ValueError, OSError: see ``reid.storage.fetch`` and ``reid.unpacking.unpack_all``; or a folder stands
            where one file should.
    """
    for key in (*FOLDERS, *FILES, *PICTURES):
        given = OmegaConf.select(config, key)
        if OmegaConf.is_list(given):  # pictures, one by one
            OmegaConf.update(config, key, [brought(config, key, each) for each in given])
        elif is_url(given):
            OmegaConf.update(config, key, brought(config, key, given))
    if config.storage.unpack and Path(config.paths.data).is_dir():
        data, cache = Path(config.paths.data), cache_of(config)
        own = data.is_relative_to(cache)
        into = data if own else cache / "unpacked" / data.absolute().relative_to(data.absolute().anchor)
        OmegaConf.update(config, "paths.data", str(unpack_all(data, into)))


def brought(config: DictConfig, key: str, url: str) -> str:
    """The local copy of what one URL stands for; a path as it is."""
    if not is_url(url):
        return url
    place = fetched(config, url)
    if key in FOLDERS and not place.is_dir():
        raise ValueError(f"{key}={url} is a file, not a folder")
    if key in FILES:
        place = only_file(place, said=f"{key}={url}")
    if key in PICTURES and place.suffix.lower() == ".txt" and place.is_file():
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda each: fetched(config, each), listed_beside(place, url)))
    if key in WITH_CARDS:
        # Most files carry it inside; where nobody may list a bucket, what is missing is forbidden
        with suppress(FileNotFoundError, PermissionError):
            fetched(config, f"{url}.json")
    return str(place)


def fetched(config: DictConfig, url: str) -> Path:
    return fetch(url, cache_of(config), endpoint=config.storage.endpoint, start=name_of_start())


def cache_of(config: DictConfig) -> Path:
    return Path(config.storage.cache).expanduser().absolute()


def listed_beside(path: Path, url: str) -> list[str]:
    """URLs of the files that a list behind a URL names, relative to itself."""
    folder = url.rpartition("/")[0]
    return [f"{folder}/{name}" for name in names_in(path)]


def only_file(place: Path, *, said: str) -> Path:
    """The file, or the one file that a folder holds, as ModelArts names folders; cards are not counted.

    Raises:
        ValueError: it holds several.
    """
    if place.is_file():
        return place
    files = {path for path in place.rglob("*") if path.is_file()}
    found = sorted(path for path in files if not (path.suffix == ".json" and path.with_suffix("") in files))
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(place)) for path in found[:5])
        raise ValueError(f"{said} is a folder of {len(found)} files ({names}): name one of them")
    return found[0]


@contextmanager
def sending(config: DictConfig) -> Iterator[None]:
    """Have ``task.to`` written into the run's folder where it is a URL, and copied behind it at the end.

    Raises:
        ValueError, OSError: the URL or what it needs is not in order, or the copy failed.
    """
    url, endpoint = OmegaConf.select(config, OUTPUT), config.storage.endpoint
    if not is_url(url):
        yield
        return
    connect(url, endpoint=endpoint)  # a mistake shows before the work
    path = Path(config.paths.output) / PurePosixPath(url).name
    OmegaConf.update(config, OUTPUT, str(path))
    yield
    send(path, url, endpoint=endpoint)
    sys.stdout.write(f"{path} is copied to {url}\n")


@contextmanager
def copying_out(config: DictConfig) -> Iterator[None]:
    """Copy the run's folder to ``storage.output`` at once, each ``storage.copy_every`` seconds, and last.

    Raises:
        ValueError, OSError: the first copy failed; later ones are tried again, but for the last.
        SystemExit: 1, the last copy failed after a run that did not.
    """
    url, endpoint = config.storage.output, config.storage.endpoint
    if url is None or not is_first():
        yield
        return
    folder, copied, ended = Path(config.paths.output), Copied(), threading.Event()
    if is_job() or HydraConfig.get().mode == RunMode.MULTIRUN:
        url = f"{url.rstrip('/')}/{folder.name}"

    def keep_copying() -> None:
        while not ended.wait(config.storage.copy_every):
            try:
                copy_out(folder, url, copied=copied, endpoint=endpoint)
            except (OSError, ValueError) as error:
                log.warning(f"storage.output: {error}; {folder} will be copied later")

    copy_out(folder, url, copied=copied, endpoint=endpoint)
    thread = threading.Thread(target=keep_copying, name="copying out", daemon=True)
    thread.start()
    failed = True
    try:
        yield
        failed = False
    finally:
        ended.set()
        thread.join()
        try:
            copy_out(folder, url, copied=copied, endpoint=endpoint)
            log.info(f"{folder} is copied to {url}")
        except (OSError, ValueError) as error:
            log.error(f"Error: {folder} is not copied to storage.output={url}: {error}")
            if not failed:
                sys.exit(1)
