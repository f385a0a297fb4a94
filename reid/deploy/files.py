"""Networks into files: ONNX and TorchScript, with their cards inside."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from reid.deploy.answers import Answers, example, interface_of
from reid.deploy.card import KEY, Card, beside
from reid.loading.device import gray_levels
from reid.networks.multitask import KEYPOINTS
from reid.whole import write_whole

OPSETS = range(11, 21)  # from the oldest that the published tools take to torch's newest by tracing

EXPECTED = (  # warnings of exports that are as they should be
    ".*legacy TorchScript-based ONNX export.*",  # takes opset 11 without onnxscript; torch is capped
    ".*feature will be removed.*",  # torch's own call
    ".*operator 'instance_norm' is set to train=True.*",  # OSNet's keep no running statistics
    ".*registered as constants in the trace.*",  # mean and deviation
    ".*Converting a tensor to a Python boolean.*",  # instance norm asks whether a map has one pixel
    ".*Converting a tensor to a Python integer.*",  # 'same' padding asks for the size of a map
    ".*Only steps=1 can be constant folded.*",  # of what it pads by, which onnxslim folds
    ".*torch.jit.*is deprecated.*",  # its successor loads only under the torch that wrote the file
)


@dataclass(frozen=True)
class Exported:
    """One file that was written."""

    path: Path
    card: Card
    simplified: bool


def describe_file(description: Mapping[str, Any], network: nn.Module, *, source: str) -> Card:
    """The card of a file that takes any number of normalised images.

    Args:
        description: the checkpoint's own.
        network: that it describes, with its weights.
        source: the checkpoint's path.
    """
    told = description["model"].get("network", {})
    stem = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    channels = stem.in_channels
    mean, std = gray_levels(channels)
    height, width = description["image_size"]
    interface = interface_of(network)
    inputs: dict[str, tuple[int, ...]] = {interface.inputs[0]: (channels, height, width)}
    inputs |= dict.fromkeys(interface.inputs[1:], (KEYPOINTS,))
    card = Card(
        model=str(description["model"]["name"]),
        checkpoint=source,
        description=description,
        image_size=(height, width),
        heatmap=bool(told.get("heatmap", False)),
        segment=bool(told.get("segment", False)),
        keypoints=len(interface.inputs) > 1,
        mean=mean,
        std=std,
        embedded=False,
        half=False,
        batch_size=None,
        inputs=inputs,
        outputs=interface.outputs,
        shapes={},
    )
    network.eval()
    with torch.inference_mode():
        answers = Answers(network)(*(torch.zeros(1, *shape) for shape in inputs.values()))
    shapes = {name: tuple(answer.shape[1:]) for name, answer in zip(interface.outputs, answers, strict=True)}
    return replace(card, shapes=shapes)


def answers_of(network: nn.Module, card: Card) -> Answers:
    """What a file with this card computes, as a module of its own on the CPU."""
    own = copy.deepcopy(network).to("cpu", torch.float32)
    own = own.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    if card.half:
        own = own.half()
    return Answers(own, mean=card.mean, std=card.std, embedded=card.embedded, half=card.half).eval()


def example_of(card: Card, count: int) -> list[Tensor]:
    """Inputs that a file with this card takes."""
    return example(card.inputs, count, embedded=card.embedded)


def write_onnx(network: nn.Module, card: Card, path: Path, *, opset: int, simplify: bool) -> Exported:
    """Write an ONNX file of the network, its card among its metadata and beside it.

    Args:
        network: any of ours; it is left as it is.
        card: says what goes in and out, and for how many images at once.
        path: ends on .onnx.
        opset: of OPSETS; newer ones are for newer runtimes.
        simplify: by onnxslim, where it is installed.

    Raises:
        ValueError: another opset, or onnx is not installed.
    """
    slim = onnxslim() if simplify else None
    write_whole(path, onnx_bytes(network, card, opset=opset, slim=slim))
    write_card(card, path)
    return Exported(path, card, simplified=slim is not None)


def onnx_bytes(network: nn.Module, card: Card, *, opset: int, slim: Any = None) -> bytes:
    """What `write_onnx` writes, by the simplifier ``slim`` if there is one; raises as it does."""
    check_opset(opset)
    try:
        import onnx
    except ImportError as error:
        raise ValueError(
            f"task=export writes ONNX files with onnx ({error}): pip install 'reid-lightning[export]'"
        ) from error
    count = card.batch_size or 2  # a traced 1 would be taken for a constant in places
    names = [*card.inputs, *card.outputs]
    axes = {} if card.batch_size else {name: {0: "batch"} for name in names}
    file = io.BytesIO()
    with quiet():
        torch.onnx.export(
            answers_of(network, card),
            tuple(example_of(card, count)),
            file,  # type: ignore[arg-type]  # the tracing exporter takes it
            dynamo=False,
            input_names=list(card.inputs),
            output_names=list(card.outputs),
            dynamic_axes=axes,
            opset_version=opset,
        )
    model = onnx.load_from_string(file.getvalue())
    if slim is not None:
        model = slim.slim(model)
    onnx.helper.set_model_props(model, {KEY: card.to_json(), "producer": "reid task=export"})
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def check_opset(opset: int) -> None:
    """Raise ``ValueError`` for one that is not written."""
    if opset not in OPSETS:
        raise ValueError(f"task.opset={opset!r}: use {OPSETS[0]} to {OPSETS[-1]}")


def write_torchscript(network: nn.Module, card: Card, path: Path) -> Exported:
    """Write a traced TorchScript file of the network, its card among its extra files and beside it."""
    with quiet(), torch.no_grad():
        given = tuple(example_of(card, card.batch_size or 2))
        answers = answers_of(network, card)
        program = torch.jit.trace(answers, given, check_trace=False)  # type: ignore[no-untyped-call]
        file = io.BytesIO()
        torch.jit.save(program, file, _extra_files={f"{KEY}.json": card.to_json().encode()})
    write_whole(path, file.getvalue())
    write_card(card, path)
    return Exported(path, card, simplified=False)


def onnxslim() -> ModuleType | None:
    """The simplifier, if it is there."""
    try:
        import onnxslim as found
    except ImportError:
        logging.getLogger(__name__).warning(
            "onnxslim is not installed, the graph stays as traced: install it, or task.simplify=false"
        )
        return None
    module: Any = found
    return module  # type: ignore[no-any-return]


def write_card(card: Card, path: Path) -> None:
    """Put the card beside its file, for formats and people that cannot look inside."""
    write_whole(beside(path), card.to_json().encode() + b"\n")


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what torch says about sound exports off the terminal."""
    with warnings.catch_warnings():
        for words in EXPECTED:
            warnings.filterwarnings("ignore", words)
        yield
