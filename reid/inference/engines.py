"""What computes the features of a batch: the runtime of a file, ONNX Runtime, or torch."""

import importlib.util
import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid.contracts import Features
from reid.deploy import Card, RuntimeNetwork
from reid.deploy.files import onnx_bytes
from reid.deploy.runtimes import OnnxRuntime, Runtime
from reid.inference.batches import Memory, planes_of
from reid.inference.torch_networks import compiled, folded
from reid.loading.transforms import Pixels

Planes = NDArray[np.float32]
Kind = Literal["auto", "onnxruntime", "torch", "compiled"]
Precision = Literal["auto", "32", "bf16"]
OPSET = 17
EQUAL = 1e-4  # of features of unit length: what float32 in another order may differ by
TRIED = (1, 3)  # images at once
ON_CPU, ON_DEVICE = 8, 256  # images at once: on a CPU a few stay in its cache, a device wants many

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """A network that is ready."""

    name: str  # what computes
    prepare: Callable[[Pixels, Planes], Tensor]  # (B, H, W, 3), and room for (B, 3, H, W) -> what is computed
    compute: Callable[[Tensor], Features]  # on the CPU, float32
    batch_size: int | None = None  # the most images at once; None: any


def engine_of(
    network: nn.Module,
    card: Card,
    *,
    device: torch.device,
    runtime: Kind,
    precision: Precision,
    batch_size: int | None,
) -> Engine:
    """The fastest engine of a network that gives its features.

    Raises:
        ValueError: the runtime that was asked for is not there, cannot compute this network or gives other
            features.
    """
    if runtime == "compiled":
        return by_compiler(network, card, precision=precision, batch_size=batch_size or ON_CPU)
    on_cpu, exact = device.type == "cpu", precision != "bf16"
    if runtime == "onnxruntime" or (runtime == "auto" and on_cpu and exact and has_onnxruntime()):
        try:
            return checked(by_onnxruntime(network, card), network, card)
        except (RuntimeError, ValueError) as error:  # what exporters and `checked` raise
            if runtime == "onnxruntime":
                raise ValueError(f"runtime=onnxruntime: {error}") from error
            log.warning("%s is computed by torch, as ONNX Runtime cannot: %s", card.model, error)
    if on_cpu and exact:
        try:
            return checked(by_torch(folded(network), card, device=device, precision=precision), network, card)
        except ValueError as error:  # norms that are not computed where they stand
            log.debug("%s", error)
    return by_torch(network, card, device=device, precision=precision)


def of_file(runtime: Runtime) -> Engine:
    """Of an exported file."""
    card, network = runtime.card, RuntimeNetwork(runtime)

    def prepare(images: Pixels, room: Planes) -> Tensor:
        if card.embedded:
            return torch.from_numpy(images)
        return planes_of(images, room, mean=card.mean, std=card.std)

    def compute(image: Tensor) -> Features:
        with torch.inference_mode():
            return on_cpu(network(image))

    return Engine(runtime.name, prepare, compute, card.batch_size)


def by_onnxruntime(network: nn.Module, card: Card) -> Engine:
    """By ONNX Runtime on the CPU, in float32, from an ONNX model that is never a file.

    Raises:
        RuntimeError: the network cannot be exported.
        ValueError: onnx or onnxruntime is not installed.
    """
    data = onnx_bytes(network, card, opset=OPSET)
    threads = torch.get_num_threads()
    return of_file(OnnxRuntime(Path(card.checkpoint), card, device="cpu", threads=threads, data=data))


def has_onnxruntime() -> bool:
    """Whether what `by_onnxruntime` needs is installed."""
    return all(importlib.util.find_spec(part) for part in ("onnx", "onnxruntime"))


def by_torch(network: nn.Module, card: Card, *, device: torch.device, precision: Precision) -> Engine:
    """By torch, channels last where the device has such tensors."""
    layout = torch.contiguous_format if device.type == "npu" else torch.channels_last
    network = network.to(device).to(memory_format=layout).eval()  # type: ignore[call-overload]
    half = torch.bfloat16 if precision == "bf16" else torch.float16
    mixed = precision == "bf16" or (precision == "auto" and device.type != "cpu")

    def prepare(images: Pixels, room: Planes) -> Tensor:
        if device.type == "cpu":
            return planes_of(images, room, mean=card.mean, std=card.std)
        return torch.from_numpy(images)  # a quarter of the traffic; the device normalises

    def compute(image: Tensor) -> Features:
        with torch.inference_mode(), torch.autocast(device.type, half) if mixed else nullcontext():
            if image.dtype == torch.uint8:
                batch: Any = {"image": image.to(device)}
                image = card.prepare(batch)["image"]
            return on_cpu(network(image.contiguous(memory_format=layout)))

    return Engine(f"torch {torch.__version__}, {device}", prepare, compute)


def by_compiler(network: nn.Module, card: Card, *, precision: Precision, batch_size: int) -> Engine:
    """By torch's compiler on the CPU; in bfloat16 features differ in the third digit.

    Raises:
        ValueError: there is no C++ compiler, or in float32 features differ.
    """
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    engine = Engine(
        f"torch {torch.__version__}, compiled, {kind}",
        partial(planes_of, mean=card.mean, std=card.std),
        compiled(network, card, kind=kind, batch_size=batch_size),
        batch_size,
    )
    return engine if precision == "bf16" else checked(engine, network, card)


def checked(engine: Engine, network: nn.Module, card: Card) -> Engine:
    """The engine, if it gives the network's features.

    Raises:
        ValueError: it does not.
    """
    found = difference(engine, network, card)
    if found > EQUAL:
        raise ValueError(f"{engine.name} differs from the network by {found:.2g}, allowed are {EQUAL:g}")
    return engine


def difference(engine: Engine, network: nn.Module, card: Card) -> float:
    """The largest between what engine and network say about random pictures.

    Embeddings are divided by the lengths of the network's, other outputs by its largest value.
    """
    numbers = np.random.default_rng(0)
    network, found = network.cpu().eval(), list[Tensor]()
    for count in TRIED:
        images = numbers.integers(0, 256, (count, *card.image_size, 3), dtype=np.uint8)
        batch: Any = {"image": torch.from_numpy(images)}
        with torch.inference_mode():
            wanted = on_cpu(network(card.prepare(batch)["image"]))
            said = engine.compute(engine.prepare(images, Memory(count, card.image_size).planes))
            found.append((said.embedding - wanted.embedding) / wanted.embedding.norm(dim=1, keepdim=True))
            for ours, theirs in zip(local(said), local(wanted), strict=True):
                found.append((ours - theirs) / theirs.abs().max())
    return max(float(each.abs().max()) if each.isfinite().all() else float("inf") for each in found)


def local(said: Features) -> list[Tensor]:
    """What is beside the embedding."""
    return [*([] if said.stripes is None else [said.stripes]), *said.attributes.values()]


def on_cpu(said: Features) -> Features:
    """The same on the CPU in float32, less what only training needs."""
    embedding = said.embedding.float().cpu()
    return Features(
        embedding=embedding,
        pooled=embedding,
        stripes=None if said.stripes is None else said.stripes.float().cpu(),
        attributes={name: scores.float().cpu() for name, scores in said.attributes.items()},
    )
