"""Pictures -> features, by a checkpoint or an exported file."""

import logging
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from tqdm import tqdm

from reid.checkpoint import EXPORTED
from reid.contracts import Features
from reid.deploy import Card, open_runtime
from reid.inference.batches import read_ahead, read_batch
from reid.inference.engines import ON_CPU, ON_DEVICE, Kind, Precision, engine_of, of_file
from reid.inference.network import check_card, read_network
from reid.inference.rows import Described, Floats, described
from reid.loading.pictures import listed
from reid.npu.devices import device_count, missing

log = logging.getLogger(__name__)


class Embedder:
    """A trained network as a function of pictures.

    Size and normalisation are read from the file. Pictures are a path, a folder (all pictures in and below
    it, sorted), an array (H, W, 3) or (N, H, W, 3) uint8 RGB, a PIL image, or a sequence of paths, arrays and
    PIL images.

    What computes is chosen once, when an embedder is made, and compared there with the network itself on
    random pictures: features of unit length may differ by 1e-4.

    Args:
        path: a checkpoint (.ckpt), or a file of task=export (.onnx, .pt, .om).
        device: "auto" is CUDA, else an NPU, else the CPU, and the CPU for ONNX files; or torch's name, as
            "cuda:1".
        runtime: of checkpoints. "auto" is ONNX Runtime in float32 on a CPU where it is installed with onnx
            (the extra ``export``), else "torch"; "compiled" is torch's compiler, which needs a C++ compiler
            and up to minutes. Exported files have their own.
        batch_size: pictures at once; None: 8 on a CPU, 256 on a device, an exported file's own if it has one.
        num_workers: threads that read and resize. On a CPU as many compute as torch.get_num_threads() says.
        progress: show a bar where there is a terminal.
        precision: of checkpoints. "auto" computes in float16 on a device and in float32 on the CPU, where
            features would differ by far more than 1e-4 otherwise; "bf16" is for CPUs with units for it, by
            torch or compiled; "32".
        on_bad_image: "error", or "skip" to leave unreadable files out and name them, as data.on_bad_image.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that does not say what it takes, that needs more than pictures or has no features,
            an option out of range, a runtime or a device that is not there.
    """

    def __init__(
        self,
        path: str | Path,
        device: str = "auto",
        *,
        runtime: Kind = "auto",
        batch_size: int | None = None,
        num_workers: int = 2,
        progress: bool = True,
        precision: Precision = "auto",
        on_bad_image: Literal["error", "skip"] = "error",
    ) -> None:
        check_options(batch_size, num_workers, precision, on_bad_image)
        self.path = Path(path)
        place = chosen_device(device, self.path)
        # OM files bring their own way to the device: torch need not know it
        self.device = torch.device("cpu" if self.path.suffix == ".om" else place)
        check_runtime(runtime, self.path, device=self.device, precision=precision)
        self.progress = progress
        self.num_workers = num_workers
        self.on_bad_image = on_bad_image
        if self.path.suffix in EXPORTED:
            file = open_runtime(self.path, device=place, threads=torch.get_num_threads())
            self.card: Card = file.card
            check_card(self.card, self.path)
            self.engine = of_file(file)
        else:
            self.card, network = read_network(self.path)
            check_card(self.card, self.path)
            self.engine = engine_of(
                network,
                self.card,
                device=self.device,
                runtime=runtime,
                precision=precision,
                batch_size=batch_size,
            )
        usual = ON_CPU if self.device.type == "cpu" else ON_DEVICE
        self.batch_size = batch_size or self.engine.batch_size or usual

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
        names, found, faults = list[str](), list[Features](), list[str]()
        read = partial(
            read_batch,
            prepare=self.engine.prepare,
            skip=self.on_bad_image == "skip",
        )
        bar = tqdm(total=len(items), desc="features", disable=None if self.progress else True, leave=False)
        with bar:
            for batch in read_ahead(
                items,
                read,
                batch_size=self.batch_size,
                size=self.card.image_size,
                num_workers=self.num_workers,
            ):
                names += batch.names
                faults += batch.faults
                if batch.image is not None:
                    found.append(self.engine.compute(batch.image))
                bar.update(len(batch))
        if faults:
            log.warning(
                "%d of %d pictures are left out:\n  %s", len(faults), len(items), "\n  ".join(faults[:10])
            )
        return described(self.card, names, found)


def check_options(batch_size: int | None, num_workers: int, precision: str, on_bad_image: str) -> None:
    """Raise ``ValueError`` for one out of range."""
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: use 1 or more, or None")
    if num_workers < 1:
        raise ValueError(f"num_workers={num_workers}: use 1 or more threads")
    if precision not in get_args(Precision):
        raise ValueError(f"precision={precision!r}: use auto, 32 or bf16")
    if on_bad_image not in ("error", "skip"):
        raise ValueError(f"on_bad_image={on_bad_image!r}: use error or skip")


def check_runtime(runtime: str, path: Path, *, device: torch.device, precision: str) -> None:
    """Raise ``ValueError`` for one that is not known, or that cannot compute this way."""
    if runtime not in get_args(Kind):
        raise ValueError(f"runtime={runtime!r}: use {', '.join(get_args(Kind))}")
    if runtime == "auto":
        return
    if path.suffix in EXPORTED:
        raise ValueError(f"runtime={runtime}: {path} is an exported file and has its own, use auto")
    if runtime != "torch" and device.type != "cpu":
        raise ValueError(f"runtime={runtime} is for the CPU: use torch on {device}, or device=cpu")
    if runtime == "onnxruntime" and precision == "bf16":
        raise ValueError("runtime=onnxruntime computes in float32: use torch or compiled for precision=bf16")


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
