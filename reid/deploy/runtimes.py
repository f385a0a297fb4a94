"""Exported files at work: ONNX Runtime, TorchScript and Ascend's OM, each as a function of arrays."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid.checkpoint import EXPORTED
from reid.contracts import Features
from reid.deploy.answers import features_from
from reid.deploy.card import Card, read_card
from reid.deploy.files import quiet
from reid.deploy.timing import synchronize

Array = NDArray[Any]
PROVIDERS = {  # torch's name of a device -> ONNX Runtime's, and what brings it
    "cuda": ("CUDAExecutionProvider", "onnxruntime-gpu"),
    "npu": ("CANNExecutionProvider", "onnxruntime-cann"),
}


class Runtime(Protocol):
    """A loaded file."""

    card: Card
    path: Path
    name: str  # of the program that computes

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Outputs of a batch, in the card's order.

        Args:
            inputs: in the card's order, each (B, ...).

        Raises:
            ValueError: not the shape, type or number of images that the file takes.
        """

    def resident(self, inputs: Sequence[Array]) -> Callable[[], None]:
        """A call that computes these inputs' outputs, which lie on the device already where that is possible.

        It returns when the device is done; raises as calling does.
        """


class OnnxRuntime:
    """An ONNX file by ONNX Runtime, on the CPU, on CUDA or by CANN; or ``data`` that never was a file."""

    def __init__(
        self, path: Path, card: Card, *, device: str, threads: int | None, data: bytes | None = None
    ) -> None:
        self.path, self.card = path, card
        onnxruntime = imported_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        providers = ["CPUExecutionProvider"]
        self.kind = device.partition(":")[0]
        if self.kind in PROVIDERS:
            provider, package = PROVIDERS[self.kind]
            there = onnxruntime.get_available_providers()
            if provider not in there:
                raise ValueError(
                    f"this ONNX Runtime has no {provider} ({', '.join(there)}): install {package}, or use"
                    " trainer=cpu"
                )
            providers.insert(0, provider)
        self.session = onnxruntime.InferenceSession(data or str(path), options, providers=providers)
        self.name = f"ONNX Runtime {onnxruntime.__version__}, {self.session.get_providers()[0]}"

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        check_inputs(self.card, inputs, path=self.path)
        found: list[Array] = self.session.run(
            list(self.card.outputs), dict(zip(self.card.inputs, inputs, strict=True))
        )
        return found

    def resident(self, inputs: Sequence[Array]) -> Callable[[], None]:
        check_inputs(self.card, inputs, path=self.path)
        if self.kind not in PROVIDERS:
            return lambda: self.session.run(None, dict(zip(self.card.inputs, inputs, strict=True))) and None
        binding = self.session.io_binding()
        values = imported_onnxruntime().OrtValue
        for name, each in zip(self.card.inputs, inputs, strict=True):
            binding.bind_ortvalue_input(name, values.ortvalue_from_numpy(each, self.kind, 0))
        for name in self.card.outputs:
            binding.bind_output(name, self.kind)

        def call() -> None:
            self.session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        return call


class TorchScript:
    """A TorchScript file by torch, on any of its devices."""

    def __init__(self, path: Path, card: Card, *, device: str, threads: int | None) -> None:
        self.path, self.card = path, card
        try:
            with quiet():
                self.program = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise ValueError(f"{path} is no TorchScript file, or a damaged one") from error
        self.device = device
        self.name = f"TorchScript, torch {torch.__version__}, {device}"

    @torch.inference_mode()
    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        check_inputs(self.card, inputs, path=self.path)
        answers = self.program(*(torch.from_numpy(each).to(self.device) for each in inputs))
        if isinstance(answers, Tensor):
            answers = (answers,)
        return [each.cpu().numpy() for each in answers]

    def resident(self, inputs: Sequence[Array]) -> Callable[[], None]:
        check_inputs(self.card, inputs, path=self.path)
        given = [torch.from_numpy(each).to(self.device) for each in inputs]

        @torch.inference_mode()
        def call() -> None:
            self.program(*given)
            synchronize(self.device)

        return call


class Om:
    """An OM file by ais_bench's Python interface, on an Ascend device."""

    def __init__(self, path: Path, card: Card, *, device: str, threads: int | None) -> None:
        self.path, self.card = path, card
        if not path.is_file():
            raise FileNotFoundError(f"no file at {path}: the atc.sh of task=export makes it where CANN is")
        try:
            from ais_bench.infer.interface import InferSession
        except ImportError as error:
            raise ValueError(
                f"{path} runs on Ascend devices by ais_bench, which is not installed ({error}): install its"
                " aclruntime and ais_bench wheels, or run it elsewhere between task=preprocess and"
                " task=postprocess"
            ) from error
        number = int(device.partition(":")[2] or 0)
        self.session = InferSession(device_id=number, model_path=str(path))
        self.name = f"ais_bench, device {number}"

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        check_inputs(self.card, inputs, path=self.path)
        answers = self.session.infer(feeds=[np.ascontiguousarray(each) for each in inputs], mode="static")
        shapes = self.card.shapes.values()
        count = len(inputs[0])
        return [
            np.asarray(each, np.float32).reshape(count, *shape)
            for each, shape in zip(answers, shapes, strict=True)
        ]

    def resident(self, inputs: Sequence[Array]) -> Callable[[], None]:
        """As above; ais_bench's interface copies both ways within each call."""
        check_inputs(self.card, inputs, path=self.path)
        given = [np.ascontiguousarray(each) for each in inputs]
        return lambda: self.session.infer(feeds=given, mode="static") and None


def open_runtime(
    path: Path, *, card: Card | None = None, device: str = "cpu", threads: int | None = None
) -> Runtime:
    """The runtime that a file's ending asks for.

    Args:
        path: an exported file.
        card: of a file that has none inside or beside it.
        device: torch's name of where to compute; OM files are always on an Ascend device.
        threads: of ONNX Runtime on the CPU; None: as many as there are cores.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another ending, no card, or a runtime that is not installed.
    """
    kinds: dict[str, type[OnnxRuntime] | type[TorchScript] | type[Om]] = {
        ".onnx": OnnxRuntime,
        ".pt": TorchScript,
        ".om": Om,
    }
    if path.suffix not in kinds:
        raise ValueError(f"{path}: exported files that can be run end on {', '.join(EXPORTED)}")
    return kinds[path.suffix](path, card or read_card(path), device=device, threads=threads)


def imported_onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(
            f"ONNX files need onnxruntime ({error}): pip install 'reid-lightning[export]'"
        ) from error
    module: ModuleType = onnxruntime
    return module


def onnx_metadata(path: Path) -> dict[str, str]:
    """The metadata_props of an ONNX file; raises as `looked_into`."""
    return dict(looked_into(path).get_modelmeta().custom_metadata_map)


def looked_into(path: Path) -> Any:
    """A session of an ONNX file that is only asked questions.

    Raises:
        ValueError: no ONNX file, or a damaged one.
    """
    onnxruntime = imported_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions share no base but this one
        raise ValueError(f"{path} is no ONNX file that ONNX Runtime can read: {error}") from error


def check_inputs(card: Card, inputs: Sequence[Array], *, path: Path) -> None:
    """Refuse what the file does not take.

    Raises:
        ValueError: with the shape or type wanted and got.
    """
    if len(inputs) != len(card.inputs):
        raise ValueError(f"{path} takes {', '.join(card.inputs)}, got {len(inputs)} arrays")
    count = len(inputs[0])
    if card.batch_size not in (None, count):
        raise ValueError(
            f"{path} takes {card.batch_size} images at once, got {count}: it was exported for that batch size"
            " (task.batch_sizes); export with task.batch_sizes=null for any"
        )
    for (name, shape), each in zip(card.inputs.items(), inputs, strict=True):
        kind = np.uint8 if card.embedded and name == next(iter(card.inputs)) else np.float32
        if each.shape != (count, *shape) or each.dtype != kind:
            raise ValueError(
                f"{path}: {name} must be {('B', *shape)} {np.dtype(kind)}, got {each.shape} {each.dtype}"
            )


def in_batches(runtime: Runtime, inputs: Sequence[Array]) -> list[Array]:
    """Outputs of any number of images, by a file that may take a fixed number: the last batch is padded."""
    size, count = runtime.card.batch_size, len(inputs[0])
    if size is None:
        return runtime(inputs)
    parts: list[list[Array]] = []
    for start in range(0, count, size):
        chunk = [each[start : start + size] for each in inputs]
        missing = size - len(chunk[0])
        if missing:
            chunk = [np.concatenate([each, np.repeat(each[-1:], missing, axis=0)]) for each in chunk]
        parts.append([each[: size - missing] for each in runtime(chunk)])
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


class RuntimeNetwork(nn.Module):
    """A runtime in a network's place: images, as its card wants them, to what it says, on their device."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self.runtime = runtime
        self.keypoints = runtime.card.keypoints  # modules ask their network what it sees

    def forward(self, image: Tensor, *more: Tensor) -> Features | Tensor:
        """(B, ...) images as `Card.prepare` leaves them and, for some files, (B, 36, 3) keypoints."""
        card = self.runtime.card
        given = [image if card.embedded else image.float(), *(each.flatten(1).float() for each in more)]
        arrays = in_batches(self.runtime, [np.ascontiguousarray(each.cpu().numpy()) for each in given])
        outputs = {
            name: torch.from_numpy(np.asarray(value)).to(image.device)
            for name, value in zip(card.outputs, arrays, strict=True)
        }
        if "heatmaps" in card.outputs.values():
            return outputs["heatmaps"]
        return features_from(outputs, card.outputs)
