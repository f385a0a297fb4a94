"""Checkpoints as data: weights, optimiser state and plain values, never code.

A checkpoint of ours is a Lightning checkpoint with one more entry, ``reid``: the plain-value model section of
the configuration and what its input must look like. Reading one executes nothing: only tensors and plain
values are unpickled, and only classes of this package and of ``torch`` are built from its model section.
"""

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

FORMAT = 1
EXPORTED = (".onnx", ".pt", ".om")  # endings of what task=export writes and can be run
ALLOWED = ("reid.", "torch.nn.", "torch.optim.")


def describe(
    model: Mapping[str, Any], *, image_size: Sequence[int], distance: str, data: str
) -> dict[str, Any]:
    """The entry that makes a checkpoint self-describing.

    Args:
        model: the model section of the configuration, resolved to plain values.
        image_size: (height, width) in pixels that the network was trained on.
        distance: by which its best epoch was chosen.
        data: the benchmark's name.
    """
    return {
        "format": FORMAT,
        "model": dict(model),
        "image_size": list(image_size),
        "distance": distance,
        "data": data,
    }


def write_checkpoint(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write all of a checkpoint or nothing: what stood at ``path`` is replaced only by a complete file.

    Raises:
        OSError: the disk is full or the folder cannot be written; the old file is intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        draft.unlink(missing_ok=True)
        raise OSError(
            f"cannot write checkpoint {path}: {error}. Is the disk full? The file that was there before is"
            " intact; free some space, or choose another folder with hydra.run.dir=DIR"
        ) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of ours on the CPU, without executing anything from it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint, a damaged one, or one of another program.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}: checkpoints lie in <run folder>/checkpoints/")
    exported = f"; an exported file is read by model_file={path}" if path.suffix in EXPORTED else ""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*looks like a TorchScript archive.*")  # refused below
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is not a checkpoint, or not one that can be read without executing code in it;"
            f" MindSpore's and others' become ours by task=convert model.weights=PATH{exported}"
        ) from error
    except Exception as error:  # damaged bytes fail anywhere: KeyError, EOFError, RuntimeError, OSError
        raise ValueError(
            f"{path} is not a checkpoint, or a damaged one: {type(error).__name__}{exported}"
        ) from error
    if not isinstance(checkpoint, dict) or "reid" not in checkpoint or "state_dict" not in checkpoint:
        raise ValueError(
            f"{path} holds no checkpoint of ours (no model section): published weight files are read by"
            " model.weights=PATH and become checkpoints by task=convert; ours are read by checkpoint=PATH or"
            " resume=PATH"
        )
    told = checkpoint["reid"]
    if not isinstance(told, Mapping) or not isinstance(told.get("model"), Mapping):
        raise ValueError(
            f"{path} does not say which model it is of: make it again by a training or task=convert"
        )
    return checkpoint


def is_checkpoint(path: Path) -> bool:
    """Whether ``torch.save`` wrote a file, told by the names in it: programs of TorchScript have more."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.rpartition("/")[2] for name in archive.namelist()}
    except zipfile.BadZipFile:
        return False
    return "data.pkl" in names and "constants.pkl" not in names


def network_weights(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The network's weights alone, named as published."""
    prefix = "network."
    return {
        name.removeprefix(prefix): value
        for name, value in checkpoint["state_dict"].items()
        if name.startswith(prefix)
    }


def load_network(network: nn.Module, checkpoint: Mapping[str, Any]) -> None:
    """Give a network, built as a checkpoint says, the checkpoint's weights.

    Raises:
        ValueError: they are of another one.
    """
    try:
        network.load_state_dict(network_weights(checkpoint))
    except (RuntimeError, AttributeError) as error:
        raise ValueError(
            f"the checkpoint's weights are not of the network that it describes; was it edited? {error}"
        ) from error


def check_targets(section: Any, *, where: str = "model") -> None:
    """Refuse a model section that names anything but classes of this package or of torch's nn and optim.

    Raises:
        ValueError: naming the first target that is not allowed.
    """
    if isinstance(section, Mapping):
        if (target := section.get("_target_")) is not None and not _is_allowed(target):
            raise ValueError(
                f"the checkpoint asks to build {target!r} ({where}): only classes under"
                f" {', '.join(ALLOWED)} are built"
            )
        for key, value in section.items():
            check_targets(value, where=f"{where}.{key}")
    elif isinstance(section, list | tuple):
        for position, value in enumerate(section):
            check_targets(value, where=f"{where}[{position}]")


def _is_allowed(target: Any) -> bool:
    return _class_of(target) is not None


def _class_of(target: Any) -> type | None:
    """A class defined under an allowed module: no function, and nothing that a module merely imports."""
    if not isinstance(target, str) or not target.startswith(ALLOWED):
        return None
    module_name, _, class_name = target.rpartition(".")
    try:
        module = __import__(module_name, fromlist=[class_name])
    except ImportError:
        return None
    found = getattr(module, class_name, None)
    return found if isinstance(found, type) and f"{found.__module__}.".startswith(ALLOWED) else None


def difference(saved: Mapping[str, Any], wanted: Mapping[str, Any], *, prefix: str = "model") -> list[str]:
    """What two model sections disagree about, a line each: ``key: saved -> wanted``.

    An option that a section does not name has its class's default: it came later than the checkpoint.
    """
    lines = []
    saved, wanted = completed(saved), completed(wanted)
    for key in sorted(saved.keys() | wanted.keys()):
        ours, theirs = saved.get(key), wanted.get(key)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            lines += difference(ours, theirs, prefix=f"{prefix}.{key}")
        elif ours != theirs:
            lines.append(f"{prefix}.{key}: {ours} -> {theirs}")
    return lines


def completed(section: Mapping[str, Any]) -> dict[str, Any]:
    """A section with the defaults of its own class's options."""
    kind = _class_of(section.get("_target_"))
    options = {} if kind is None else signature(kind).parameters
    return {name: each.default for name, each in options.items() if each.default is not each.empty} | {
        **section
    }
