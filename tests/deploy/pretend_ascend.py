"""Huawei's tools as far as a program can tell: atc packs files, ais_bench computes by ONNX Runtime.

A packed file takes exactly what a real one would: one number of images, as many bytes an input as its shape
has, uint8 planes last where AIPP normalises. Written after the tools' manuals; nothing of them is in here.
"""

import json
import os
import re
import shlex
import stat
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime

ATC = f"""#!{sys.executable}
import sys, zipfile
words = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:])
assert (words["framework"], words["input_format"]) == ("5", "NCHW")
assert words["soc_version"].startswith("Ascend")
with zipfile.ZipFile(words["output"] + ".om", "w") as om:
    om.write(words["model"], "model.onnx")
    om.writestr("shapes", words["input_shape"])
    if "insert_op_conf" in words:
        om.write(words["insert_op_conf"], "aipp.cfg")
print("ATC run success")
"""
INTERFACE = "from deploy.pretend_ascend import InferSession\n"
MAIN = "from deploy.pretend_ascend import main\nmain()\n"


def install(folder: Path) -> tuple[Path, Path]:
    """Write the tools; what belongs on PATH and what on PYTHONPATH."""
    tools, packages = folder / "bin", folder / "site"
    for path, text in (
        (tools / "atc", ATC),
        (packages / "ais_bench" / "__init__.py", ""),
        (packages / "ais_bench" / "__main__.py", MAIN),
        (packages / "ais_bench" / "infer" / "__init__.py", ""),
        (packages / "ais_bench" / "infer" / "interface.py", INTERFACE),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tools / "atc").chmod(stat.S_IRWXU)
    return tools, packages


class InferSession:
    """ais_bench's class of this name, for models of fixed shapes."""

    calls: ClassVar[list[dict[str, Any]]] = []  # of all sessions

    def __init__(self, device_id: int, model_path: str) -> None:
        assert isinstance(device_id, int)
        assert os.path.isfile(model_path)
        self.device = device_id
        with zipfile.ZipFile(model_path) as om:
            self.session = onnxruntime.InferenceSession(
                om.read("model.onnx"), providers=["CPUExecutionProvider"]
            )
            told = om.read("shapes").decode()
            self.aipp = om.read("aipp.cfg").decode() if "aipp.cfg" in om.namelist() else None
        pairs = [part.split(":") for part in told.split(";")]
        self.shapes = {name: tuple(int(size) for size in sizes.split(",")) for name, sizes in pairs}

    def sizes(self) -> list[int]:
        """Bytes of each input."""
        found = [4 * int(np.prod(shape)) for shape in self.shapes.values()]
        return [found[0] // 4, *found[1:]] if self.aipp else found

    def infer(self, feeds: Sequence[np.ndarray], mode: str = "static") -> list[np.ndarray]:
        """Outputs; as some versions of the tool do, flat and in half precision where that loses nothing."""
        assert mode == "static"
        assert len(feeds) == len(self.shapes)
        InferSession.calls.append({"device": self.device, "feeds": [each.copy() for each in feeds]})
        given = {}
        for k, (each, size, (name, shape)) in enumerate(
            zip(feeds, self.sizes(), self.shapes.items(), strict=True)
        ):
            assert isinstance(each, np.ndarray)
            assert each.flags.c_contiguous, "the tool reads memory as it lies"
            if each.nbytes != size:
                raise RuntimeError(f"[ERROR] check i:{k} in size:{each.nbytes} needsize:{size} not match")
            if self.aipp and k == 0:
                given[name] = normalised(np.frombuffer(each.tobytes(), np.uint8), shape, self.aipp)
            else:
                given[name] = np.frombuffer(each.tobytes(), np.float32).reshape(shape)
        return list(self.session.run(None, given))


def normalised(content: np.ndarray, shape: tuple[int, ...], aipp: str) -> np.ndarray:
    """What the device makes of pixels by its configuration."""
    told = dict(re.findall(r"(\w+): ([\w.]+)", aipp))
    assert told["input_format"] == "RGB888_U8"
    batch, _, height, width = shape
    assert (int(told["src_image_size_h"]), int(told["src_image_size_w"])) == (height, width)
    pixels = content.reshape(batch, height, width, 3).astype(np.float32)
    least, factor = (
        np.array([float(told[f"{key}_chn_{k}"]) for k in range(3)], np.float32) for key in ("min", "var_reci")
    )
    mean = np.array([int(told[f"mean_chn_{k}"]) for k in range(3)], np.float32)
    return np.ascontiguousarray(((pixels - mean - least) * factor).transpose(0, 3, 1, 2))


def main() -> None:
    """``python -m ais_bench``: files of a folder in, ``<stem>_<k>.bin`` out, and a summary beside them."""
    words = sys.argv[1:]
    options = dict(zip(words[::2], words[1::2], strict=True))
    known = {"--model", "--input", "--output", "--output_dirname", "--outfmt", "--batchsize", "--device"}
    assert options.keys() <= known, shlex.join(words)
    session = InferSession(int(options.get("--device", 0)), options["--model"])
    size = int(options["--batchsize"])
    assert {shape[0] for shape in session.shapes.values()} == {size}
    folders = [Path(each) for each in options["--input"].split(",")]
    names = sorted(path.name for path in folders[0].iterdir())
    to = Path(options["--output"], options["--output_dirname"])
    to.mkdir(parents=True)
    for start in range(0, len(names), size):
        own = names[start : start + size]
        own += own[-1:] * (size - len(own))
        feeds = [np.concatenate([np.fromfile(place / name, np.uint8) for name in own]) for place in folders]
        for k, output in enumerate(session.infer(feeds)):
            for name, values in zip(own, output, strict=True):
                target = to / f"{Path(name).stem}_{k}"
                if options["--outfmt"] == "BIN":
                    values.tofile(target.with_suffix(".bin"))
                else:
                    target.with_suffix(".txt").write_text(
                        " ".join(f"{each:.9g}" for each in values.ravel()) + "\n"
                    )
    (to.parent / f"{to.name}_summary.json").write_text(json.dumps({"filesinfo": {}}))
