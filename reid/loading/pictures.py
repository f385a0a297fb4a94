"""Pictures as people give them, by path, folder, array or PIL image -> pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reid.datasets.folder import SUFFIXES
from reid.loading.images import decode, read_bytes
from reid.loading.transforms import Pixels


def listed(pictures: Any) -> Sequence[Any]:
    """The pictures one by one: paths, arrays, PIL images.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: a folder without pictures.
    """
    if isinstance(pictures, str | Path):
        path = Path(pictures)
        return pictures_below(path) if path.is_dir() else [path]
    if isinstance(pictures, np.ndarray):
        return list(pictures) if pictures.ndim == 4 else [pictures]
    return [pictures] if hasattr(pictures, "convert") else list(pictures)


def pictures_below(folder: Path) -> list[Path]:
    """All pictures in a folder and those below it, sorted.

    Raises:
        ValueError: there is none.
    """
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        raise ValueError(f"{folder} has no pictures ({', '.join(SUFFIXES)})")
    return found


def names_in(path: Path) -> list[str]:
    """The lines of a list of pictures, blank ones left out."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def pixels_of(item: Any, *, name: str) -> Pixels:
    """(h, w, 3) uint8 RGB of a file, an array or a PIL image.

    Raises:
        FileNotFoundError: no such file.
        ValueError: with the picture's name and what is wrong.
    """
    if isinstance(item, str | Path):
        try:
            return decode(read_bytes(Path(item)))
        except ValueError as fault:
            raise ValueError(
                f"{name} {fault}: copy it again, or leave such pictures out with on_bad_image='skip'"
            ) from None
    image = np.asarray(item.convert("RGB") if hasattr(item, "convert") else item)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            f"{name} is {image.shape} {image.dtype}: arrays of pictures are (H, W, 3) uint8, RGB"
        )
    return image
