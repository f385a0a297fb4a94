"""Weights into a network by name and shape, with a report, and a refusal where they are another network's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reid.weights.files import is_mindspore, read_weights

IMAGENET = ("fc", "classifier", "end_point")  # what tells ImageNet's classes apart in files of a bare trunk
SHOWN = 4  # names that a refusal gives


@dataclass(frozen=True)
class WeightsReport:
    """What became of a file's weights."""

    path: Path
    matched: tuple[str, ...]  # copied into the network, the reshaped ones among them
    left: Mapping[str, str]  # in the file, unused: name -> reason
    missing: tuple[str, ...]  # in the network, not in the file: they keep their initial values
    reshaped: Mapping[str, str] = field(default_factory=dict)  # copied in another shape: name -> which

    def summary(self) -> str:
        """A line for the whole, then a line for every weight that was reshaped, left or is missing."""
        parts = [f"{len(self.matched)} matched", f"{len(self.left)} left", f"{len(self.missing)} missing"]
        if self.reshaped:
            parts.insert(1, f"{len(self.reshaped)} of them reshaped")
        reshaped = [f"  reshaped {name}: {how}" for name, how in self.reshaped.items()]
        left = [f"  left     {name}: {reason}" for name, reason in self.left.items()]
        missing = [f"  missing  {name}" for name in self.missing]
        return "\n".join([f"{self.path}: {', '.join(parts)}", *reshaped, *left, *missing])


def load_weights(network: nn.Module, path: Path | str, *, strict: bool = True) -> WeightsReport:
    """Copies the weights of a file into ``network``; what it takes and refuses is said in `copy_weights`.

    Raises:
        FileNotFoundError, ValueError: as `read_weights` and `copy_weights`.
    """
    weights = translated(read_weights(path), network)
    return copy_weights(network, weights, source=Path(path), strict=strict)


def advice(network: Any, path: Path | str) -> str | None:
    """A line on what ``network`` computes otherwise than the network of a MindSpore file, if it does.

    A network whose form in MindSpore differs by more than names says by what in a ``MINDSPORE`` of its own:
    the options of its constructor, which are attributes as well.
    """
    theirs: Mapping[str, Any] = getattr(network, "MINDSPORE", {})
    unset = [
        f"model.network.{key}={value}" for key, value in theirs.items() if getattr(network, key) != value
    ]
    if not unset or not is_mindspore(path):
        return None
    return (
        f"{path} is MindSpore's, whose {type(network).__name__} computes otherwise with the same weights: set"
        f" {' '.join(unset)} for the published figures (docs/weights.md)"
    )


def translated(weights: Mapping[str, Tensor], network: Any) -> dict[str, Tensor]:
    """Published weights by the names of ``network``, an instance or a class.

    A network that is published under other names translates them in a ``from_published`` of its own.
    """
    translate = getattr(network, "from_published", None)
    return dict(translate(weights) if callable(translate) else weights)


def copy_weights(
    network: nn.Module, weights: Mapping[str, Tensor], *, source: Path, strict: bool = True
) -> WeightsReport:
    """Copies into ``network`` the weights whose name and shape match, and says which did not.

    A first convolution for more than an image's three planes gets an image network's in those three and keeps
    its own initial values in the others: guides stacked on the image (PAMTRI recipe). One of a file with
    guides fits the same number of guides alone: a plane's place does not tell what it shows. Shapes that
    differ in trailing ones alone are the same.

    Args:
        weights: by the network's names (`translated`).
        source: the file they are from, for messages.
        strict: the file must give everything but classifiers, and nothing else: a network's ``TRUNK`` (what
            its names begin with) is enough from a file of a trunk alone.

    Raises:
        ValueError: nothing matched, or what is strictly demanded did not.
    """
    theirs, ours, reshaped = dict(weights), network.state_dict(), dict[str, str]()
    stem = stem_weight(network)
    for name, weight in weights.items():
        if name in ours and weight.shape != ours[name].shape:
            fitted = widened(weight, ours[name]) if name == stem else squeezed(weight, ours[name])
            if fitted is not None:
                theirs[name] = fitted
                how = "the first planes" if name == stem else "all"
                reshaped[name] = f"{tuple(weight.shape)} in the file, {how} of {tuple(ours[name].shape)}"

    matched = {name: w for name, w in theirs.items() if name in ours and w.shape == ours[name].shape}
    if not any(is_learnt(name) for name in matched):
        raise ValueError(
            f"nothing in {source} matches the network. The file has {few(theirs)}; "
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
    report = WeightsReport(source, tuple(matched), left, missing, reshaped)
    if strict:
        check(report, network, alone=is_trunk(theirs, network))
    network.load_state_dict(matched, strict=False)
    return report


def check(report: WeightsReport, network: nn.Module, *, alone: bool) -> None:
    """Refuse a file of another network, by what it lacks and has too much.

    Args:
        alone: it is of a trunk alone, which may lack the rest and have ImageNet's classifier.

    Raises:
        ValueError: with the names that gave it away.
    """
    wrong = [
        f"{name} is {reason}"
        for name, reason in report.left.items()
        if is_learnt(name) and not (is_classifier(name) or (alone and first(name) in IMAGENET))
    ]
    wrong += [
        f"{name} is not in the file"
        for name in report.missing
        if not (is_classifier(name) or (alone and not name.startswith(trunk_of(network))))
    ]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise ValueError(
            f"{report.path} is not of this network: {'; '.join(wrong[:SHOWN])}{more}. Set model= to the one"
            " it was trained with (for vehicles also data.heatmap, data.segment, data.keypoints and"
            " model.attributes), or take what fits with model.strict_weights=false"
        )


def classes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """What a file's classifiers tell apart: ``num_identities`` and, where there are any, ``attributes``.

    Args:
        weights: by our names: ``classifier`` or ``classifier_vid``, and ``classifier_v<attribute>``.
    """
    prefix, ending = "classifier_v", ".weight"
    sizes = {
        name.removesuffix(ending): len(weight)
        for name, weight in weights.items()
        if is_classifier(name) and name.endswith(ending) and weight.dim() == 2
    }
    found: dict[str, Any] = {}
    for name in ("classifier", f"{prefix}id"):
        if name in sizes:
            found["num_identities"] = sizes.pop(name)
    if attributes := {name.removeprefix(prefix): size for name, size in sizes.items()}:
        found["attributes"] = attributes
    return found


def stem_weight(network: nn.Module) -> str | None:
    """The name of the first convolution's weight."""
    names = (name for name, module in network.named_modules() if isinstance(module, nn.Conv2d))
    return next((f"{name}.weight" for name in names), None)


def widened(weight: Tensor, wider: Tensor) -> Tensor | None:
    """``weight`` (O, 3, k, k) in the first planes of ``wider`` (O, C, k, k); None where more differs."""
    if (
        weight.dim() == 4
        and weight.shape[1] == 3 < wider.shape[1]
        and weight[:, :0].shape == wider[:, :0].shape
    ):
        return torch.cat([weight.to(wider), wider[:, 3:]], dim=1)
    return None


def squeezed(weight: Tensor, like: Tensor) -> Tensor | None:
    """``weight`` in the shape of ``like`` where trailing ones make the difference: linear and 1x1."""
    return weight.reshape(like.shape) if core(weight.shape) == core(like.shape) else None


def core(shape: torch.Size) -> tuple[int, ...]:
    """A shape without its trailing ones."""
    sizes = list(shape)
    while sizes and sizes[-1] == 1:
        sizes.pop()
    return tuple(sizes)


def is_trunk(weights: Iterable[str], network: Any) -> bool:
    """Whether a file has but the trunk of ``network``, an instance or a class, and ImageNet's classifier."""
    trunk = trunk_of(network)
    return bool(trunk) and all(name.startswith(trunk) or first(name) in IMAGENET for name in weights)


def trunk_of(network: Any) -> str | tuple[str, ...]:
    """What the names of a network's trunk begin with; nothing where it has no trunk of its own."""
    trunk: str | tuple[str, ...] = getattr(network, "TRUNK", "")
    return trunk


def is_learnt(name: str) -> bool:
    """Old files lack batch norm's counter of steps, which nothing reads while momentum is set."""
    return not name.endswith("num_batches_tracked")


def is_classifier(name: str) -> bool:
    """Whether a weight's layer tells training classes apart, which differ from benchmark to benchmark."""
    return first(name).startswith("classifier")


def first(name: str) -> str:
    return name.partition(".")[0]


def few(names: Iterable[str]) -> str:
    return ", ".join(list(names)[:3]) + ", …"
