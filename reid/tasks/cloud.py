"""Paths that are URLs: fetched before the task begins, and its outputs copied out while it runs."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from reid.launch import is_first, is_job, name_of_start
from reid.storage import Copied, copy_out, fetch, is_url

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


def bring_in(config: DictConfig) -> None:
    """Fetch what URLs of the configuration stand for, and name the local copies instead.

    Raises:
        ValueError, OSError: see ``reid.storage.fetch``; or a folder stands where one file should.
    """
    for key in (*FOLDERS, *FILES):
        url = OmegaConf.select(config, key)
        if not is_url(url):
            continue
        cache = Path(config.storage.cache).expanduser().absolute()
        place = fetch(url, cache, endpoint=config.storage.endpoint, start=name_of_start())
        if key in FOLDERS and not place.is_dir():
            raise ValueError(f"{key}={url} is a file, not a folder")
        if key in FILES:
            place = only_file(place, said=f"{key}={url}")
        OmegaConf.update(config, key, str(place))


def only_file(place: Path, *, said: str) -> Path:
    """The file, or the one file that a folder holds, as ModelArts names folders.

    Raises:
        ValueError: it holds several.
    """
    if place.is_file():
        return place
    found = sorted(path for path in place.rglob("*") if path.is_file())
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(place)) for path in found[:5])
        raise ValueError(f"{said} is a folder of {len(found)} files ({names}): name one of them")
    return found[0]


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
