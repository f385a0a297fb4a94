"""A writer of MindSpore checkpoints after the format's description, and the seeds' names for our weights."""

import re
import zlib
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

TYPES = {torch.float32: "Float32", torch.float16: "Float16", torch.int32: "Int32", torch.bfloat16: "BFloat16"}


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative ones are written as 64 bits
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def block(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def value(
    tag: str, dims: Iterable[int], kind: str, content: bytes, *, packed: bool = False, backwards: bool = False
) -> bytes:
    """One entry of a checkpoint's list."""
    if packed:
        shape = block(1, b"".join(map(varint, dims)))
    else:
        shape = b"".join(varint(1 << 3) + varint(dim) for dim in dims)
    tensor = [shape, block(2, kind.encode()), block(3, content)]
    parts = [block(1, tag.encode()), block(2, b"".join(reversed(tensor) if backwards else tensor))]
    return block(1, b"".join(reversed(parts) if backwards else parts))


def raw(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def checkpoint(
    weights: Mapping[str, Tensor],
    *,
    slice_bytes: int | None = None,
    packed: bool = False,
    backwards: bool = False,
    crc: bool = False,
) -> bytes:
    """A whole file; tensors longer than ``slice_bytes`` come in several values."""
    out = bytearray()
    for name, tensor in weights.items():
        content, dims = raw(tensor), tuple(tensor.shape) or (0,)  # as scalars are written
        step = slice_bytes or max(len(content), 1)
        for start in range(0, max(len(content), 1), step):
            part = content[start : start + step]
            out += value(name, dims, TYPES[tensor.dtype], part, packed=packed, backwards=backwards)
    return bytes(out) + (b"crc_num" + zlib.crc32(out).to_bytes(10, "big") if crc else b"")


def batch_norms(network: nn.Module) -> set[str]:
    return {name for name, module in network.named_modules() if hasattr(module, "running_mean")}


def mindspore_names(network: nn.Module) -> dict[str, Tensor]:
    """A network's weights as a MindSpore cell of the same layers calls them."""
    kinds = {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    }
    norms, named = batch_norms(network), {}
    for name, tensor in network.state_dict().items():
        layer, _, part = name.rpartition(".")
        if part != "num_batches_tracked":
            named[f"{layer}.{kinds[part] if layer in norms else part}"] = tensor
    return named


def aligned_names(network: nn.Module) -> dict[str, Tensor]:
    """The seed's AlignedReID++ as saved in training: `_backbone.base.layer1.0.down_sample_layer.0 ...`."""
    children = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    named = {}
    for name, tensor in mindspore_names(network).items():
        name = re.sub(r"^base\.(\d)", lambda found: f"base.{children[int(found[1])]}", name)
        name = name.replace(".downsample.", ".down_sample_layer.").replace("classifier.", "end_point.")
        named[f"_backbone.{name}"] = tensor
    return named


def multitask_names(network: nn.Module) -> dict[str, Tensor]:
    """The seed's MultiTaskNet: `network.base.denseblock1.cell_list.0`, `transition1.features.norm ...`."""
    named = {}
    for name, tensor in mindspore_names(network).items():
        name = re.sub(r"denselayer(\d+)", lambda found: f"cell_list.{int(found[1]) - 1}", name)
        named["network." + re.sub(r"(transition\d)\.", r"\1.features.", name)] = tensor
    return named


def training_state(weights: Mapping[str, Tensor], *, adam: bool) -> dict[str, Tensor]:
    """What MindSpore's optimisers and its callback keep in the same file."""
    prefixes = ("moment1", "moment2") if adam else ("moments",)
    moments = {f"{prefix}.{name}": torch.zeros_like(w) for prefix in prefixes for name, w in weights.items()}
    scalars = ("beta1_power", "beta2_power") if adam else ("momentum",)
    return {
        **moments,
        **{name: torch.tensor(0.9) for name in scalars},
        "learning_rate": torch.rand(4),
        "global_step": torch.tensor([7], dtype=torch.int32),
        "epoch_num": torch.tensor(10, dtype=torch.int32),
        "step_num": torch.tensor(10, dtype=torch.int32),
    }
