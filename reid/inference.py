"""Features of pictures, by a checkpoint or an exported file, for programs without Hydra."""

import importlib.util
import logging
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from reid.checkpoint import check_targets, load_network, read_checkpoint
from reid.contracts import Features
from reid.deploy import Card, RuntimeNetwork, open_runtime
from reid.deploy.files import describe_file, write_onnx
from reid.loading.pictures import listed, pixels_of
from reid.loading.transforms import Pixels
from reid.npu.devices import device_count, missing
from reid.tasks.build import build_module

Floats = NDArray[np.float32]

OPSET = 17
KEPT_BUSY = 2  # batches that are read ahead
ON_CPU, ON_DEVICE = 8, 256  # images at once: on a CPU a few stay in its cache, a device wants many

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Described:
    """What a network says about N pictures; row i is about ``names[i]``."""

    names: list[str]  # paths, or "picture 0" ... of pictures without one
    embedding: Floats  # (N, D)
    stripes: Floats | None  # (N, d, S) local features, of AlignedReID++
    scores: dict[str, Floats]  # attribute -> (N, A), of MultiTaskNet
    values: dict[str, list[str]]  # attribute -> the names of its A values

    def attribute(self, name: str) -> list[str]:
        """Of each picture, the value of an attribute that scores highest."""
        return [self.values[name][best] for best in self.scores[name].argmax(1)]


class Embedder:
    """A trained network as a function of pictures.

    Size and normalisation are read from the file. Pictures are a path, a folder (all pictures in and below
    it, sorted), an array (H, W, 3) or (N, H, W, 3) uint8 RGB, a PIL image, or a sequence of paths, arrays and
    PIL images.

    On a CPU a checkpoint is computed by ONNX Runtime in float32 where it is installed with onnx (the extra
    ``export``), else by torch, channels last.

    Args:
        path: a checkpoint (.ckpt), or a file of task=export (.onnx, .pt, .om).
        device: "auto" is CUDA, else an NPU, else the CPU, and the CPU for ONNX files; or torch's name, as
            "cuda:1".
        batch_size: pictures at once; None: 8 on a CPU, 256 on a device, an exported file's own if it has one.
        num_workers: threads that read and resize.
        progress: show a bar where there is a terminal.
        precision: of checkpoints. "auto" computes in float16 on a device and in float32 on the CPU, where
            features would differ by far more than 1e-4 otherwise; "bf16" is for CPUs with units for it; "32".
        on_bad_image: "error", or "skip" to leave unreadable files out and name them, as data.on_bad_image.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that does not say what it takes, that needs more than pictures or has no features,
            an option out of range, or a device that is not there.
    """

    def __init__(
        self,
        path: str | Path,
        device: str = "auto",
        *,
        batch_size: int | None = None,
        num_workers: int = 2,
        progress: bool = True,
        precision: Literal["auto", "32", "bf16"] = "auto",
        on_bad_image: Literal["error", "skip"] = "error",
    ) -> None:
        check_options(batch_size, num_workers, precision, on_bad_image)
        self.path = Path(path)
        place = chosen_device(device, self.path)
        # OM files bring their own way to the device: torch need not know it
        self.device = torch.device("cpu" if self.path.suffix == ".om" else place)
        self.progress = progress
        self.num_workers = num_workers
        self.on_bad_image = on_bad_image
        self.precision = precision
        if self.path.suffix in (".onnx", ".pt", ".om"):
            runtime = open_runtime(self.path, device=place)
            self.card: Card = runtime.card
            check_card(self.card, self.path)
            self.network: nn.Module = RuntimeNetwork(runtime)
        else:
            self.card, network = read_network(self.path)
            check_card(self.card, self.path)
            self.network = self._placed(network)
        usual = ON_CPU if self.device.type == "cpu" else ON_DEVICE
        self.batch_size = batch_size or self.card.batch_size or usual

    @property
    def dim(self) -> int:
        """D, the length of a picture's features."""
        names = (name for name, role in self.card.outputs.items() if role == "embedding")
        return self.card.shapes[next(names)][-1]

    @property
    def distance(self) -> str:
        """The name of the distance that the network's best epoch was chosen by."""
        return self.card.distance

    def __call__(self, pictures: Any) -> Floats:
        """(N, D) float32, a row a picture, in the order given; of an empty sequence (0, D).

        Raises:
            FileNotFoundError: no such picture or folder.
            ValueError: a file that is no picture, a folder without any, or an array of another form.
        """
        return self.describe(pictures).embedding

    def describe(self, pictures: Any) -> Described:
        """Features, local features and attributes of pictures, and their names; takes and raises as a call.

        With ``on_bad_image="skip"`` the names tell which pictures are there.
        """
        items = listed(pictures)
        names, found, bad = list[str](), list[Features](), list[str]()
        bar = tqdm(total=len(items), desc="features", disable=None if self.progress else True, leave=False)
        with bar:
            for read in self._batches(items):
                good = [(name, image) for name, image in read if isinstance(image, np.ndarray)]
                bad += [str(image) for _, image in read if isinstance(image, ValueError)]
                if good:
                    names += [name for name, _ in good]
                    found.append(self._features(np.stack([image for _, image in good])))
                bar.update(len(read))
        if bad:
            log.warning("%d of %d pictures are left out:\n  %s", len(bad), len(items), "\n  ".join(bad[:10]))
        return self._described(names, found)

    def _placed(self, network: nn.Module) -> nn.Module:
        """The network of a checkpoint, as it is fastest on the device."""
        on_cpu = self.device.type == "cpu"
        parts = ("onnx", "onnxruntime")
        if on_cpu and self.precision != "bf16" and all(importlib.util.find_spec(part) for part in parts):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "network.onnx"
                write_onnx(network, self.card, path, opset=OPSET, simplify=False)
                return RuntimeNetwork(open_runtime(path))
        if self.device.type != "npu":  # has no NHWC tensors
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(self.device).eval()

    def _features(self, images: Pixels) -> Features:
        """Of (B, H, W, 3), on the CPU."""
        kept = isinstance(self.network, RuntimeNetwork)  # its arrays come from the CPU's memory
        batch: Any = {"image": torch.from_numpy(images)}
        if not kept:
            batch["image"] = batch["image"].to(self.device)
        image = self.card.prepare(batch)["image"]
        with torch.inference_mode(), nullcontext() if kept else self._autocast():
            if not kept and self.device.type != "npu":
                image = image.contiguous(memory_format=torch.channels_last)
            said: Features = self.network(image)
        return Features(
            embedding=on_cpu(said.embedding),
            pooled=on_cpu(said.embedding),
            stripes=None if said.stripes is None else on_cpu(said.stripes),
            attributes={name: on_cpu(scores) for name, scores in said.attributes.items()},
        )

    def _autocast(self) -> Any:
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        half = self.precision == "auto" and self.device.type != "cpu"
        return torch.autocast(self.device.type, torch.float16) if half else nullcontext()

    def _batches(self, items: Sequence[Any]) -> Iterator[list[tuple[str, Pixels | ValueError]]]:
        """Names and images, read ahead by threads: OpenCV works outside the global lock."""
        numbered = iter(enumerate(items))
        with ThreadPoolExecutor(self.num_workers) as pool:
            ahead: deque[list[Future[tuple[str, Pixels | ValueError]]]] = deque()
            try:
                while True:
                    while len(ahead) <= KEPT_BUSY and (some := list(islice(numbered, self.batch_size))):
                        ahead.append([pool.submit(self._read, *each) for each in some])
                    if not ahead:
                        return
                    yield [each.result() for each in ahead.popleft()]
            finally:
                for waiting in ahead:
                    for each in waiting:
                        each.cancel()

    def _read(self, number: int, item: Any) -> tuple[str, Pixels | ValueError]:
        """A picture's name, and its pixels in the network's size or, if such are skipped, what is wrong."""
        name = str(item) if isinstance(item, str | Path) else f"picture {number}"
        try:
            image = pixels_of(item, name=name)
        except ValueError as fault:
            if self.on_bad_image == "skip":
                return name, fault
            raise
        height, width = self.card.image_size
        resized: Any = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        return name, resized

    def _described(self, names: list[str], found: Sequence[Features]) -> Described:
        """All batches as arrays, of the right width where there is none."""
        by_role = {role: self.card.shapes[name] for name, role in self.card.outputs.items()}

        def joined(role: str, parts: Sequence[Tensor | None]) -> Floats:
            if not parts:
                shape = by_role[role]
                return np.zeros((0, *(shape[:2] if role == "stripes" else shape)), np.float32)
            return torch.cat([part for part in parts if part is not None]).numpy()

        attributes = [role.removeprefix("attributes.") for role in by_role if role.startswith("attributes.")]
        return Described(
            names=names,
            embedding=joined("embedding", [each.embedding for each in found]),
            stripes=joined("stripes", [each.stripes for each in found]) if "stripes" in by_role else None,
            scores={
                name: joined(f"attributes.{name}", [each.attributes[name] for each in found])
                for name in attributes
            },
            values={name: list(self.card.attributes.get(name, [])) for name in attributes},
        )


def on_cpu(values: Tensor) -> Tensor:
    return values.float().cpu()


def read_network(path: Path) -> tuple[Card, nn.Module]:
    """What a checkpoint of ours takes and gives, and its network in evaluation mode on the CPU.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no checkpoint of ours, or one that does not say what its input looks like.
    """
    checkpoint = read_checkpoint(path)
    told = checkpoint["reid"]
    if lacking := [key for key in ("model", "image_size", "distance") if key not in told]:
        raise ValueError(
            f"{path} does not say its {' and '.join(lacking)}, and nothing is guessed: train it again, or"
            " make it from its weights with task=convert"
        )
    check_targets(told["model"])
    network = build_module(dict(told["model"])).network
    load_network(network, checkpoint)
    return describe_file(told, network.eval(), source=str(path)), network


def check_card(card: Card, path: Path) -> None:
    """Refuse networks that pictures alone are not enough for, and those without features.

    Raises:
        ValueError: with what the network needs.
    """
    wanted = [
        words
        for on, words in (
            (card.heatmap, "36 heatmaps of keypoints"),
            (card.segment, "13 masks of faces"),
            (card.keypoints, "36 keypoints"),
        )
        if on
    ]
    if wanted:
        raise ValueError(
            f"{path} ({card.model}) sees {', '.join(wanted)} beside each picture, and pictures alone were"
            " given: use a network trained without data.heatmap, data.segment and data.keypoints, or"
            " task=evaluate, whose data.guides brings them"
        )
    if "embedding" not in card.outputs.values():
        raise ValueError(f"{path} ({card.model}) gives {', '.join(card.outputs.values())}, no features")


def check_options(batch_size: int | None, num_workers: int, precision: str, on_bad_image: str) -> None:
    """Raise ``ValueError`` for one out of range."""
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: use 1 or more, or None")
    if num_workers < 1:
        raise ValueError(f"num_workers={num_workers}: use 1 or more threads")
    if precision not in ("auto", "32", "bf16"):
        raise ValueError(f"precision={precision!r}: use auto, 32 or bf16")
    if on_bad_image not in ("error", "skip"):
        raise ValueError(f"on_bad_image={on_bad_image!r}: use error or skip")


def chosen_device(wanted: str, path: Path) -> str:
    """Torch's name of the device to compute on.

    Raises:
        ValueError: it is not there.
    """
    if wanted == "auto":
        if path.suffix == ".om":
            return "npu"
        if path.suffix == ".onnx":
            return "cpu"  # ONNX Runtime's builds for CUDA are asked for
        if torch.cuda.is_available():
            return "cuda"
        return "npu" if device_count() else "cpu"
    kind = wanted.partition(":")[0]
    if kind == "npu" and path.suffix != ".om" and (what := missing()):
        raise ValueError(f"device={wanted}: {what}; or use device='cpu' (docs/ascend.md)")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={wanted}: torch {torch.__version__} sees no NVIDIA GPU; use device='cpu'")
    if kind not in ("cpu", "cuda", "npu"):
        raise ValueError(f"device={wanted!r}: use auto, cpu, cuda or npu")
    return wanted
