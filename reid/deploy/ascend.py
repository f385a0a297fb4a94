"""Huawei's converters: the exact commands, the files they want, the tools where they are installed."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from reid.deploy.card import Card
from reid.whole import write_whole

ATC, CONVERTER = "atc", "converter_lite"


def atc_command(card: Card, onnx: Path, om: Path, *, soc_version: str, aipp: Path | None = None) -> list[str]:
    """ONNX -> OM by CANN's ATC, with the options of the published OSNet flow; run in the files' folder.

    Args:
        card: of the ONNX file, for a fixed number of images.
        onnx, om: file names count, folders do not.
        soc_version: Ascend310, Ascend310P3 ...; `npu-smi info` names the chip.
        aipp: normalises uint8 images on the device.

    Raises:
        ValueError: no name of a chip.
    """
    check_chip(soc_version)
    return [
        ATC,
        "--framework=5",
        f"--model={onnx.name}",
        "--input_format=NCHW",
        f"--input_shape={shapes(card)}",
        f"--output={om.stem}",
        "--log=error",
        f"--soc_version={soc_version}",
        *([f"--insert_op_conf={aipp.name}"] if aipp else []),
    ]


def check_chip(soc_version: str) -> None:
    """Raise ``ValueError`` for what is no name of a chip."""
    if not re.fullmatch(r"Ascend\w+", str(soc_version)):
        raise ValueError(
            f"task.soc_version={soc_version!r}: use the chip's name as atc knows it, as Ascend310,"
            " Ascend310P3 or Ascend910B3 (npu-smi info)"
        )


def converter_command(card: Card, onnx: Path, mindir: Path) -> list[str]:
    """ONNX -> MINDIR by MindSpore Lite's converter; run in the files' folder."""
    return [
        CONVERTER,
        "--fmk=ONNX",
        f"--modelFile={onnx.name}",
        f"--outputFile={mindir.stem}",
        "--saveType=MINDIR",
        f"--inputShape={shapes(card)}",
    ]


def shapes(card: Card) -> str:
    """As both tools want it: ``input:4,3,256,256;keypoints:4,108``."""
    assert card.batch_size is not None, "the converters are given one number of images"
    return ";".join(
        f"{name}:{','.join(map(str, (card.batch_size, *shape)))}" for name, shape in card.inputs.items()
    )


def aipp_config(card: Card) -> str:
    """AIPP that makes (B, H, W, 3) uint8 RGB what the network reads: (x - min_chn) * var_reci_chn.

    Fractions go to ``min_chn``: ``mean_chn`` is a whole number, and would cost up to half a gray level.

    Raises:
        ValueError: planes beside the picture's three, which AIPP does not know.
    """
    if card.channels != 3:
        raise ValueError(
            f"AIPP normalises pictures of 3 planes, this network takes {card.channels}: leave"
            " task.embed_preprocessing out, and normalise before (task=preprocess)"
        )
    height, width = card.image_size
    lines = [
        "aipp_op {",
        "    aipp_mode: static",
        "    related_input_rank: 0",
        "    input_format: RGB888_U8",
        f"    src_image_size_w: {width}",
        f"    src_image_size_h: {height}",
        "    csc_switch: false",
        "    rbuv_swap_switch: false",
        *(f"    mean_chn_{k}: 0" for k in range(3)),
        *(f"    min_chn_{k}: {255 * mean:.6g}" for k, mean in enumerate(card.mean)),
        *(f"    var_reci_chn_{k}: {1 / (255 * std):.10f}" for k, std in enumerate(card.std)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def write_script(commands: Sequence[Sequence[str]], path: Path) -> None:
    """The commands as a shell script that runs where it lies."""
    lines = ["#!/bin/sh", "set -e", 'cd "$(dirname "$0")"', *map(shlex.join, commands)]
    write_whole(path, ("\n".join(lines) + "\n").encode())
    path.chmod(0o755)


def is_there(tool: str) -> bool:
    """Whether the shell would find the tool."""
    return shutil.which(tool) is not None


def run_tool(command: Sequence[str], *, folder: Path, makes: Path) -> None:
    """Run a converter in a folder; what it says is kept in ``<file>.log``.

    Raises:
        ValueError: it failed, or made nothing; with the last line it said.
    """
    done = subprocess.run(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    log = makes.with_name(f"{makes.name}.log")
    log.write_text(done.stdout)
    if done.returncode or not makes.is_file():
        last = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
        raise ValueError(
            f"{command[0]} ended with status {done.returncode} and {'made' if makes.is_file() else 'without'}"
            f" {makes.name}: {last} (all of it in {log}; the command: {shlex.join(command)})"
        )


def remedy(tool: str) -> str:
    """Where a missing tool comes from."""
    sources: Mapping[str, str] = {
        ATC: "it comes with the CANN toolkit: source its set_env.sh",
        CONVERTER: "it comes with MindSpore Lite: put tools/converter/converter on PATH, its lib folders"
        " on LD_LIBRARY_PATH",
    }
    return sources[tool]
