"""MindSpore's checkpoints, read without MindSpore: a protobuf of named tensors, and their names in PyTorch.

The message (MindSpore, mindspore/ccsrc/utils/checkpoint.proto) is a list of values, each with a tag (1) and a
tensor (2) of dims (1), tensor_type (2) and tensor_content (3). A large tensor comes as several values of one
tag, each with the whole's dims and a part of the content. A file may end with ``crc_num`` and ten bytes, the
big-endian CRC-32 of what is before.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

TYPES = {
    "Float16": torch.float16,
    "BFloat16": torch.bfloat16,
    "Float32": torch.float32,
    "Float64": torch.float64,
    "Int8": torch.int8,
    "Int16": torch.int16,
    "Int32": torch.int32,
    "Int64": torch.int64,
    "UInt8": torch.uint8,
    "Uint8": torch.uint8,  # as MindSpore wrote it before 1.5
    "Bool": torch.bool,
}
MAX_DIMS = 8  # MindSpore's own limit
CRC, CRC_BYTES = b"crc_num", 10
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types of protobuf
BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# What the program that trained keeps beside the network: moments of each weight, counters, rates.
TRAINING = re.compile(
    r"^(?:moments?[12]?|momentum|accum|accu_grads|stat|velocity|vhat|mean_(?:square|gradient)|adam_[mv]|"
    r"beta[12]_power|global_step|learning_rate|lr|weight_decay|epoch_num|step|step_num|cur_step_num|"
    r"loss_scale|scale_sense|(?:current|last_overflow)_iterator_step)(?:\.|$)"
)


@dataclass
class Piecewise:
    """A tensor as its values in the file give it, part after part."""

    dims: tuple[int, ...]
    kind: str
    parts: list[memoryview] = field(default_factory=list)


def read_mindspore(content: bytes) -> dict[str, Tensor]:
    """The tensors of a MindSpore checkpoint by the names that the file gives them.

    Values that are no numbers (strings that a program appended, hash tables) are left out. Memory is taken
    for what the file holds, not for what it declares.

    Raises:
        ValueError: the bytes are no such message, are cut off, or fail their checksum.
    """
    tensors: dict[str, Piecewise] = {}
    for number, value in fields(checked(content)):
        if number == 1 and isinstance(value, memoryview):
            collect(value, tensors)
    return {name: whole(name, tensor) for name, tensor in tensors.items() if tensor.kind in TYPES}


def pytorch_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """MindSpore's names as PyTorch has them, and without what belongs to the optimizer."""
    named = ((*name.rpartition("."), weight) for name, weight in weights.items() if not TRAINING.match(name))
    return {f"{layer}{dot}{BATCH_NORM.get(part, part)}": weight for layer, dot, part, weight in named}


def checked(content: bytes) -> memoryview:
    """The message without its checksum, which must be right if there is one."""
    message, ending = memoryview(content), len(CRC) + CRC_BYTES
    if bytes(message[-ending:-CRC_BYTES]) != CRC:
        return message
    body = message[:-ending]
    if zlib.crc32(body) != int.from_bytes(message[-CRC_BYTES:], "big"):
        raise ValueError("its checksum is wrong")
    return body


def collect(value: memoryview, tensors: dict[str, Piecewise]) -> None:
    """Add one value of the list to the tensor of its name."""
    tag, tensor = "", None
    for number, content in fields(value):
        if number == 1 and isinstance(content, memoryview):
            tag = str(content, "utf-8")
        elif number == 2 and isinstance(content, memoryview):
            tensor = content
    if tensor is None:
        return
    dims: list[int] = []
    kind, parts = "", list[memoryview]()
    for number, content in fields(tensor):
        if number == 1:
            dims += packed(content) if isinstance(content, memoryview) else [content]
        elif number == 2 and isinstance(content, memoryview):
            kind = str(content, "utf-8")
        elif number == 3 and isinstance(content, memoryview):
            parts.append(content)
    known = tensors.setdefault(tag, Piecewise(tuple(dims), kind))
    if (known.dims, known.kind) != (tuple(dims), kind):
        raise ValueError(f"{tag} has two shapes or types")
    known.parts += parts


def whole(name: str, tensor: Piecewise) -> Tensor:
    """Its parts as one tensor, if they are as long as its shape says."""
    kind, dims = TYPES[tensor.kind], tensor.dims
    held = sum(map(len, tensor.parts))
    if dims == (0,) and held == kind.itemsize:
        dims = ()  # as scalars are written
    if len(dims) > MAX_DIMS or any(dim >= 1 << 63 for dim in dims):  # the latter are negative ones
        raise ValueError(f"{name} has impossible dimensions")
    if prod(dims) * kind.itemsize != held:
        raise ValueError(f"{name} is declared {dims} {tensor.kind} and has {held:,} bytes")
    if not held:
        return torch.empty(dims, dtype=kind)
    return torch.frombuffer(bytearray().join(tensor.parts), dtype=kind).reshape(dims)


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message in order: number, and a number or the bytes of anything else."""
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, position = varint(message, position)
            yield number, value
            continue
        if wire == BYTES:
            size, position = varint(message, position)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"it has a field of unknown kind {wire}")
        if number == 0 or size > len(message) - position:
            raise ValueError("it ends within a field")
        yield number, message[position : position + size]
        position += size


def packed(content: memoryview) -> list[int]:
    """Numbers that stand one after the other in one field, as any writer may store a list."""
    numbers, position = [], 0
    while position < len(content):
        number, position = varint(content, position)
        numbers.append(number)
    return numbers


def varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("it ends within a number")
