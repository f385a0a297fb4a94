"""Networks as torch computes them fastest on a CPU: norms folded into convolutions, or compiled."""

import copy
import os
import shutil
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reid.contracts import Features
from reid.deploy import Card
from reid.deploy.answers import Answers, features_from

COMPILERS = ("g++", "clang++")


def folded(network: nn.Module) -> nn.Module:
    """A copy without the batch norms that follow a convolution in the order of registration.

    That they are computed in this order, too, is for the caller to check.
    """
    own = copy.deepcopy(network).eval()
    for module in list(own.modules()):
        for (name, layer), (after, norm) in pairwise(list(module.named_children())):
            if not (isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)):
                continue
            if layer.out_channels == norm.num_features:
                setattr(module, name, fuse_conv_bn_eval(layer, norm))
                setattr(module, after, nn.Identity())
    return own


def compiled(
    network: nn.Module, card: Card, *, kind: torch.dtype, batch_size: int
) -> Callable[[Tensor], Features]:
    """The network by torch's Inductor, its weights constants: half a minute or more until this returns.

    Args:
        kind: float32 or bfloat16, in which all of it is computed.
        batch_size: for which code is made; fewer images are filled up.

    Raises:
        ValueError: there is no C++ compiler.
    """
    if not any(shutil.which(name) for name in (os.environ.get("CXX", ""), *COMPILERS) if name):
        raise ValueError(
            f"runtime=compiled needs a C++ compiler ({' or '.join(COMPILERS)}, or CXX), and none is on PATH:"
            " install one, or use runtime=auto"
        )
    own = Answers(copy.deepcopy(network).to(kind)).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    program = torch.compile(own, dynamic=False, options={"freezing": True})

    def answers(image: Tensor) -> tuple[Tensor, ...]:
        missing = image[-1:].expand(batch_size - len(image), *image.shape[1:])
        full = torch.cat([image, missing]).to(kind).contiguous(memory_format=torch.channels_last)
        return tuple(each[: len(image)] for each in program(full))  # type: ignore[no-untyped-call]

    def compute(image: Tensor) -> Features:
        with torch.no_grad():  # in inference mode nothing would be frozen
            columns = zip(*map(answers, torch.split(image, batch_size)), strict=True)
            outputs = {name: torch.cat(parts) for name, parts in zip(card.outputs, columns, strict=True)}
        return features_from(outputs, card.outputs)

    compute(torch.zeros(batch_size, *next(iter(card.inputs.values()))))
    return compute
