"""task=dashboard: saved views of a wandb project, laid out for people, vehicles and keypoints."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb
from omegaconf import DictConfig, OmegaConf

from reid.loggers.layout import VIEWS
from reid.tasks.report import write_json

log = logging.getLogger(__name__)

BY_HAND = "docs/wandb.md says how to build the panels by hand"
SECONDS = 20  # that wandb has for an answer


def dashboard(config: DictConfig) -> None:
    """Leave dashboard.json with the views' layout, and save the views in wandb.

    Raises:
        ValueError: unknown views; wandb-workspaces is not installed; there is no way to wandb.
    """
    task, folder = config.task, Path(config.paths.output)
    names = check_views(task.views)
    try:
        from reid.loggers.workspace import view
    except ImportError as error:
        raise ValueError(
            f"task=dashboard needs wandb-workspaces: pip install 'reid-lightning[dashboard]'; {BY_HAND}"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    views = {
        name: view(f"reid {name}", VIEWS[name], entity=task.entity or "", project=task.project)
        for name in names
    }
    write_json({name: specification(each) for name, each in views.items()}, folder / "dashboard.json")
    entity = task.entity or default_entity(folder)
    for each in views.values():
        each.entity = entity
        try:
            each.save()
        except wandb.errors.Error as error:
            raise unreachable(error, folder) from error
        log.info(f"{each.name}: {each.url}")


def check_views(views: str | Sequence[str]) -> list[str]:
    """The names; ``ValueError`` where one is unknown, or none is named."""
    names = [views] if isinstance(views, str) else list(views)
    if not names or (unknown := [name for name in names if name not in VIEWS]):
        said = unknown[0] if names else names
        raise ValueError(f"task.views={said}: use some of {', '.join(VIEWS)}")
    return names


def specification(view: Any) -> dict[str, Any]:
    """What would be sent, as plain values."""
    found: dict[str, Any] = view._to_model().spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def default_entity(folder: Path) -> str:
    """Whose projects the key of wandb opens if no entity is named.

    Raises:
        ValueError: offline, without a key, or without a network.
    """
    if (mode := os.environ.get("WANDB_MODE", "online")) != "online":
        raise unreachable(f"WANDB_MODE={mode}", folder)
    try:
        return str(wandb.Api(timeout=SECONDS).default_entity)
    except wandb.errors.Error as error:
        raise unreachable(error, folder) from error


def unreachable(reason: object, folder: Path) -> ValueError:
    """What to say where the views cannot be saved."""
    return ValueError(
        f"wandb cannot be reached ({reason}): views are saved with a key (wandb login) and a network alone."
        f" The layout is in {folder / 'dashboard.json'}, and {BY_HAND}"
    )
