"""Published weight files into our networks: read without running their code, copied by name and shape."""

import pickle
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

# What wrappers put before a network's own names: DataParallel, our Lightning modules, torch.compile.
WRAPPERS = re.compile(r"^(?:(?:module|network|_orig_mod)\.)+")


@dataclass(frozen=True)
class WeightsReport:
    """What became of a file's weights."""

    path: Path
    matched: tuple[str, ...]  # copied into the network
    left: Mapping[str, str]  # in the file, unused: name -> reason
    missing: tuple[str, ...]  # in the network, not in the file: they keep their initial values

    def summary(self) -> str:
        """A line for the whole, then a line for every weight that was left or is missing."""
        counts = f"{len(self.matched)} matched, {len(self.left)} left, {len(self.missing)} missing"
        left = [f"  left     {name}: {reason}" for name, reason in self.left.items()]
        missing = [f"  missing  {name}" for name in self.missing]
        return "\n".join([f"{self.path}: {counts}", *left, *missing])


def read_weights(path: Path | str) -> dict[str, Tensor]:
    """The weights in a checkpoint by the network's own names, on the CPU.

    Takes a bare state dict, a training checkpoint with a ``state_dict`` (torchreid's ``.pth.tar``,
    Lightning's ``.ckpt``), and names that wrappers have prefixed. Nothing in the file is executed.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no checkpoint, is damaged, needs code to be executed, or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}: give the path of a .pth, .pth.tar or .ckpt file")
    with path.open("rb") as file, torch.serialization.safe_globals(numpy_scalars()):
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise ValueError(
                f"{path} is not a checkpoint that can be read without running code in it: only tensors, "
                "plain containers and numpy scalars are. If you trust it, load it where it was written and "
                "save its state_dict alone with torch.save"
            ) from error
        except Exception as error:  # damaged bytes fail anywhere: KeyError, EOFError, RuntimeError, OSError
            raise ValueError(f"{path} is not a checkpoint, or not a whole one: copy it again") from error

    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    if isinstance(content, Mapping):
        content = {WRAPPERS.sub("", str(name)): value for name, value in content.items()}
        content = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    if not isinstance(content, dict) or not content:
        raise ValueError(
            f"{path} holds no weights: expected a dict of named tensors, bare or under 'state_dict'"
        )
    return content


def load_weights(network: nn.Module, path: Path | str) -> WeightsReport:
    """Copies into ``network`` the weights of a file whose name and shape match, and says which did not.

    A first convolution for more than an image's three planes gets an image network's in those three and keeps
    its own initial values in the others: guides stacked on the image (PAMTRI recipe). One of a file with
    guides fits the same number of guides alone: a plane's place does not tell what it shows.
    A network whose trunk is published under other names translates them in a ``from_published`` of its own.

    Raises:
        FileNotFoundError, ValueError: as `read_weights`; also ValueError where nothing matched.
    """
    theirs = read_weights(path)
    if callable(translate := getattr(network, "from_published", None)):
        theirs = dict(translate(theirs))
    ours = network.state_dict()
    stem = stem_weight(network)
    if stem in theirs and stem in ours:
        theirs[stem] = widen(theirs[stem], ours[stem])

    matched = {name: w for name, w in theirs.items() if name in ours and w.shape == ours[name].shape}
    if not any(is_learnt(name) for name in matched):
        raise ValueError(
            f"nothing in {path} matches the network. The file has {few(theirs)}; "
            f"the network has {few(ours)}. Is model= the one the file was trained with?"
        )
    left = {
        name: f"{tuple(weight.shape)} in the file, {tuple(ours[name].shape)} in the network"
        if name in ours
        else "not in the network"
        for name, weight in theirs.items()
        if name not in matched
    }
    missing = tuple(name for name in ours if name not in theirs and is_learnt(name))
    network.load_state_dict(matched, strict=False)
    return WeightsReport(Path(path), tuple(matched), left, missing)


def numpy_scalars() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What a pickled numpy number names, as numpy 2 writes it and as numpy 1 did: torchreid's ``rank1``."""
    scalar: Any = np.float64(0).__reduce__()[0]  # lives in a private module that numpy 2 renamed
    modules = ("numpy.core.multiarray", "numpy._core.multiarray")
    kinds = {type(np.dtype(code)) for code in "?bhilqBHILQefd"}
    return [np.dtype, *kinds, *((scalar, f"{module}.scalar") for module in modules)]


def stem_weight(network: nn.Module) -> str | None:
    """The name of the first convolution's weight."""
    names = (name for name, module in network.named_modules() if isinstance(module, nn.Conv2d))
    return next((f"{name}.weight" for name in names), None)


def widen(weight: Tensor, wider: Tensor) -> Tensor:
    """``weight`` (O, 3, k, k) in the first planes of ``wider`` (O, C, k, k); itself where more differs."""
    if weight.dim() == 4 and weight.shape[1] == 3 and weight[:, :0].shape == wider[:, :0].shape:
        return torch.cat([weight.to(wider), wider[:, 3:]], dim=1)
    return weight


def is_learnt(name: str) -> bool:
    """Old files lack batch norm's counter of steps, which nothing reads while momentum is set."""
    return not name.endswith("num_batches_tracked")


def few(names: Iterable[str]) -> str:
    return ", ".join(list(names)[:3]) + ", …"
