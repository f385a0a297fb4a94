"""task=extract: features of pictures by a trained network, into a file."""

import hashlib
import sys
from pathlib import Path

import torch
from omegaconf import DictConfig

from reid import __version__
from reid.datasets.features import FeatureSet, Origin, check_features_path, write_features
from reid.datasets.folder import SUFFIXES
from reid.inference import Embedder
from reid.loading.pictures import names_in, pictures_below
from reid.tasks.sources import device_of, one_source


def extract(config: DictConfig) -> None:
    """Write the features of ``task.images`` by ``checkpoint`` or ``model_file`` to ``task.to``.

    Raises:
        FileNotFoundError: no such pictures or network.
        ValueError: not one network, no pictures, no output, or an ending that is not known.
    """
    images, to = config.task.images, config.task.to
    if images is None or to is None:
        raise ValueError(
            f"task.images={images} and task.to={to}: give task.images=DIR or LIST.txt, and"
            " task.to=features.h5 (or .npz, .parquet)"
        )
    check_features_path(Path(to))
    found = embed(Path(images), network_of(config), said="task.images")
    write_features(found, Path(to))
    count, length = found.features.shape
    size = Path(to).stat().st_size / 1e6
    sys.stdout.write(f"{to}: {count:,} x {length} features of {found.origin.model}, {size:,.1f} MB\n")


def network_of(config: DictConfig) -> Embedder:
    """``checkpoint`` or ``model_file`` on the trainer's device.

    Raises:
        ValueError: neither or both are given.
    """
    path = one_source(config)
    if config.device.threads is not None:
        torch.set_num_threads(config.device.threads)  # of ONNX Runtime too
    return Embedder(
        path,
        "npu" if path.suffix == ".om" else device_of(config),
        runtime=config.task.runtime,
        batch_size=config.task.batch_size,
        num_workers=config.task.num_workers,
        on_bad_image=config.data.on_bad_image,
    )


def embed(images: Path, embedder: Embedder, *, said: str) -> FeatureSet:
    """Features of a folder's, a list's or one picture, under their names in the folder.

    Args:
        said: the option that names them.

    Raises:
        FileNotFoundError: no such folder, list or picture.
        ValueError: there are none.
    """
    folder, names = named_pictures(images, said=said)
    by_path = {str(folder / name): name for name in names}
    found = embedder.describe([folder / name for name in names])
    with embedder.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    height, width = embedder.card.image_size
    origin = Origin(
        model=embedder.card.model,
        file=str(embedder.path),
        digest=digest,
        image_size=(height, width),
        distance=embedder.distance,
        folder=str(folder.resolve()),
        version=__version__,
    )
    return FeatureSet([by_path[path] for path in found.names], found.embedding, origin)


def named_pictures(images: Path, *, said: str) -> tuple[Path, list[str]]:
    """The folder of some pictures, and their paths in it.

    Raises:
        FileNotFoundError: no such folder, list or picture.
        ValueError: there are none.
    """
    if images.is_dir():
        return images, [path.relative_to(images).as_posix() for path in pictures_below(images)]
    if not images.is_file():
        raise FileNotFoundError(f"{said}={images}: there is no such folder, list or picture")
    folder = images.parent
    if images.suffix.lower() in SUFFIXES:
        return folder, [images.name]
    if images.suffix.lower() != ".txt":
        raise ValueError(
            f"{said}={images}: give a folder, a list that ends with .txt, or a picture"
            f" ({', '.join(SUFFIXES)})"
        )
    names = names_in(images)
    if not names:
        raise ValueError(f"{images} is empty: write a path a line, relative to {folder}")
    for name in names:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{images} names {name}, and there is no file {folder / name}")
    return folder, names
