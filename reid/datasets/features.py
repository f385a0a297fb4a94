"""Features of pictures as a file, HDF5, npz or parquet: names, vectors, and the network that they are of."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import h5py
import numpy as np
from numpy.typing import NDArray

from reid.whole import whole

SUFFIXES = (".h5", ".hdf5", ".npz", ".parquet")
PARQUET_KEY = b"reid"  # of the schema's metadata


@dataclass(frozen=True)
class Origin:
    """Where features come from."""

    model: str  # its name in conf/model
    file: str  # the checkpoint or exported file
    digest: str  # SHA-256 of that file, in hexadecimal
    image_size: tuple[int, int]  # height, width in pixels
    distance: str  # by which the network's best epoch was chosen
    folder: str  # names are relative to it
    version: str  # of this program

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Origin":
        """From what a file tells; its further entries are passed over.

        Raises:
            KeyError: something is missing.
        """
        known: dict[str, Any] = {each.name: str(values[each.name]) for each in fields(cls)}
        height, width = (int(size) for size in values["image_size"])
        return cls(**{**known, "image_size": (height, width)})


@dataclass(frozen=True)
class FeatureSet:
    """Features of N pictures; row i is of ``names[i]``."""

    names: Sequence[str]
    features: NDArray[np.float32]  # (N, D)
    origin: Origin

    @property
    def paths(self) -> list[Path]:
        """Where the pictures lay."""
        return [Path(self.origin.folder, name) for name in self.names]


def check_features_path(path: Path) -> None:
    """Raise ``ValueError`` for a file that `write_features` would refuse: before long work."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path}: files of features end with {', '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet":
        pyarrow_for(path)


def write_features(found: FeatureSet, path: Path) -> None:
    """Write names, features and origin, all or nothing; the suffix chooses the form.

    HDF5 has ``names`` and ``features`` and the origin as attributes; npz the same arrays and the origin as
    JSON in ``origin``; parquet the columns ``name`` and ``features`` and that JSON as metadata ``reid``.

    Raises:
        ValueError: another suffix, or pyarrow is missing.
    """
    check_features_path(path)
    kind = path.suffix.lower()
    with whole(path) as draft:
        if kind == ".npz":
            with draft.open("wb") as file:
                origin = json.dumps(asdict(found.origin))
                np.savez(file, names=np.array(found.names, str), features=found.features, origin=origin)
        elif kind == ".parquet":
            write_parquet(found, draft)
        else:
            with h5py.File(draft, "w") as file:
                shape = (len(found.names),)
                file.create_dataset("names", data=list(found.names), shape=shape, dtype=h5py.string_dtype())
                file.create_dataset("features", data=found.features)
                file.attrs.update(asdict(found.origin))


def read_features(path: Path) -> FeatureSet:
    """What `write_features` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another suffix, a file of something else, or pyarrow is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file at {path}: task=extract writes files of features")
    check_features_path(path)
    kind = path.suffix.lower()
    read = {".npz": read_npz, ".parquet": read_parquet}.get(kind, read_hdf5)
    try:
        names, features, origin = read(path)
        found = FeatureSet(names, np.array(features, np.float32), Origin.of(origin))
    except (OSError, LookupError, TypeError, AttributeError, ValueError, BadZipFile) as error:
        raise ValueError(
            f"{path} is no file of features that can be read ({error}): write it with task=extract"
        ) from error
    if found.features.ndim != 2 or len(found.names) != len(found.features):
        raise ValueError(
            f"{path} has {len(found.names)} names and features of shape {found.features.shape}: write it"
            " again with task=extract"
        )
    return found


Content = tuple[list[str], Any, dict[str, Any]]  # names, (N, D), origin


def read_hdf5(path: Path) -> Content:
    with h5py.File(path, "r") as file:
        return file["names"].asstr()[:].tolist(), file["features"][:], dict(file.attrs)


def read_npz(path: Path) -> Content:
    with np.load(path, allow_pickle=False) as file:
        return file["names"].tolist(), file["features"], json.loads(str(file["origin"]))


def read_parquet(path: Path) -> Content:
    pyarrow = pyarrow_for(path)
    table = pyarrow.parquet.read_table(path)
    column = table.column("features").combine_chunks()
    features = column.values.to_numpy().reshape(len(column), column.type.list_size)
    return table.column("name").to_pylist(), features, json.loads(table.schema.metadata[PARQUET_KEY])


def write_parquet(found: FeatureSet, path: Path) -> None:
    pyarrow = pyarrow_for(path)
    values = pyarrow.array(found.features.ravel(), pyarrow.float32())
    columns = {
        "name": pyarrow.array(list(found.names), pyarrow.string()),
        "features": pyarrow.FixedSizeListArray.from_arrays(values, found.features.shape[1]),
    }
    table = pyarrow.table(columns).replace_schema_metadata({PARQUET_KEY: json.dumps(asdict(found.origin))})
    pyarrow.parquet.write_table(table, path)


def pyarrow_for(path: Path) -> Any:
    """The library.

    Raises:
        ValueError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ValueError(
            f"{path} needs pyarrow: pip install pyarrow, or take a file that ends with .h5 or .npz"
        ) from error
    return pyarrow
