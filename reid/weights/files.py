"""Weight files in and out: PyTorch's, safetensors and MindSpore's, told apart by their bytes."""

import pickle
import re
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from reid.checkpoint import write_checkpoint
from reid.weights.mindspore import pytorch_names, read_mindspore
from reid.whole import whole

# What wrappers put before a network's own names: DataParallel, our Lightning modules, torch.compile, and the
# cells around a network that MindSpore trains.
WRAPPERS = re.compile(r"^(?:(?:module|network|_orig_mod|_?backbone|_network|train_network)\.)+")
HEADER = 100 << 20  # bytes of the longest list of names that safetensors allows
NO_SAFETENSORS = "needs safetensors: pip install safetensors, or 'reid-lightning[export]'"


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """The weights in a file by the network's own names, on the CPU.

    Takes a bare state dict, a training checkpoint with a ``state_dict`` (torchreid's ``.pth.tar``,
    Lightning's ``.ckpt``), a safetensors file, a MindSpore ``.ckpt``, and names that wrappers have prefixed.
    Nothing in the file is executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no checkpoint, is damaged, needs code to be executed, or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights at {path}: give the path of a .pth, .pth.tar, .ckpt or .safetensors file"
        )
    with path.open("rb") as file:
        head = file.read(9)
        file.seek(0)
        if head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
            content: Any = read_safetensors(path)
        elif head[:1] == b"\n":  # protobuf: field 1, of bytes
            content = read_protobuf(file, path)
        else:
            if head[:4] == b"PK\x03\x04" and is_inflated(path):
                raise ValueError(
                    f"{path} is not a checkpoint as torch.save writes it, tensors as they are: it unpacks"
                    " to more than its size. Save it again with torch.save"
                )
            content = unpickled(file, path)

    if isinstance(content, Mapping):
        ours = "reid" in content  # a module of ours may hold more than its network
        content = content.get("state_dict", content)
        if ours and isinstance(content, Mapping):
            content = {name: value for name, value in content.items() if str(name).startswith("network.")}
    if isinstance(content, Mapping):
        content = {WRAPPERS.sub("", str(name)): value for name, value in content.items()}
        content = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not isinstance(content, dict) or not content:
        raise ValueError(
            f"{path} holds no weights: expected a dict of named tensors, bare or under 'state_dict'"
        )
    if hollow := next((name for name, value in content.items() if is_hollow(value)), None):
        raise ValueError(
            f"{path} is not a checkpoint that can be used: {hollow} has fewer numbers than places"
        )
    if any(name.endswith("moving_variance") for name in content):  # MindSpore's, in either of its formats
        return pytorch_names(content)
    return content


def is_mindspore(path: Path | str) -> bool:
    """Whether a file that `read_weights` takes is MindSpore's, told by its first bytes."""
    with Path(path).open("rb") as file:
        head = file.read(9)
        if head[8:] != b"{":
            return head[:1] == b"\n"
        size = min(int.from_bytes(head[:8], "little"), HEADER)
        return b'.moving_variance"' in head[8:] + file.read(size)


def unpickled(file: BinaryIO, path: Path) -> Any:
    """What ``torch.save`` wrote, as long as it is tensors, plain containers and numpy scalars."""
    with torch.serialization.safe_globals(numpy_scalars()):
        try:
            try:
                return torch.load(file, map_location="cpu", weights_only=True)
            except UnicodeDecodeError:  # numbers of numpy that Python 2 pickled
                file.seek(0)
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "pickle_load_args only works")  # it does here
                    return torch.load(file, map_location="cpu", weights_only=True, encoding="latin1")
        except pickle.UnpicklingError as error:
            raise ValueError(
                f"{path} is not a checkpoint that can be read without running code in it: only tensors, "
                "plain containers and numpy scalars are. If you trust it, load it where it was written and "
                "save its state_dict alone with torch.save"
            ) from error
        except Exception as error:  # damaged bytes fail anywhere: KeyError, EOFError, RuntimeError, OSError
            raise ValueError(f"{path} is not a checkpoint, or not a whole one: copy it again") from error


def read_protobuf(file: BinaryIO, path: Path) -> dict[str, Tensor]:
    """A MindSpore checkpoint's tensors."""
    try:
        return read_mindspore(file.read())
    except ValueError as error:
        raise ValueError(
            f"{path} is not a checkpoint, or not a whole one: as MindSpore's, {error}; copy it again"
        ) from error


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """A safetensors file's tensors."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ValueError(f"{path} {NO_SAFETENSORS}") from error
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not a checkpoint, or not a whole one: {error}; copy it again") from error


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write named weights alone, all or nothing: bare as torchreid's files (``.pth``), or ``.safetensors``.

    Raises:
        OSError: the disk is full or the folder cannot be written.
        ValueError: safetensors is asked for and not installed.
    """
    if path.suffix != ".safetensors":
        write_checkpoint(OrderedDict(weights), path)
        return
    try:
        from safetensors.torch import save_file
    except ImportError as error:
        raise ValueError(f"{path} {NO_SAFETENSORS}") from error
    with whole(path) as draft:
        save_file({name: weight.contiguous() for name, weight in weights.items()}, draft, {"format": "pt"})


def is_inflated(path: Path) -> bool:
    """Whether a zip's entries are together larger than itself: compressed, or several of the same bytes."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size
    except zipfile.BadZipFile:  # torch says so
        return False


def is_hollow(tensor: Tensor) -> bool:
    """Whether a tensor claims more than it holds: expanded, sparse or without data, as a bomb would be."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return True
    return tensor.numel() * tensor.itemsize > tensor.untyped_storage().nbytes()


def numpy_scalars() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What a pickled numpy number names, as numpy 2 writes it and as numpy 1 did: torchreid's ``rank1``."""
    scalar: Any = np.float64(0).__reduce__()[0]  # lives in a private module that numpy 2 renamed
    modules = ("numpy.core.multiarray", "numpy._core.multiarray")
    kinds = {type(np.dtype(code)) for code in "?bhilqBHILQefd"}
    return [np.dtype, *kinds, *((scalar, f"{module}.scalar") for module in modules)]
