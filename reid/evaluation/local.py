"""How far apart two sets of images are by their stripes, alone or together with their embeddings.

The same DMLI as in the loss, of a query with a whole gallery: in tiles that stay in a processor's cache, and
without gradients.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from reid.contracts import Features
from reid.evaluation.blocks import empty_table
from reid.evaluation.distance import EuclideanDistance
from reid.evaluation.threads import over_threads

FEW = 16  # queries a tile on the CPU
TILE = 2**19  # pairs of stripes a tile on the CPU: 2 MB
DEVICE_TILE = 2**26  # on another device, where larger work is faster: 256 MB


@dataclass(frozen=True)
class LocalDistance:
    """How well stripes match: DMLI, the published 'local' distance of AlignedReID++.

    Stripes are compared as they are; the network makes them of unit length. Beyond the result it takes a few
    MB a thread on the CPU.

    Args:
        unaligned: compare each stripe with the one at its own height (the published 'unaligned').
    """

    unaligned: bool = False

    def __call__(self, query: Features, gallery: Features) -> Tensor:
        """(Nq, Ng) float32; between S stripes in [0, 2 S - 1), unaligned in [0, S).

        Raises:
            ValueError: features without stripes.
        """
        q, g = query.stripes, gallery.stripes
        if q is None or g is None:
            raise ValueError(
                "features.stripes is None: local distances need a network with a local branch, such as"
                " model=aligned_reid; compare others by evaluation.distance=euclidean or cosine"
            )
        q, g = q.float(), g.float()  # copies only what is not
        table = empty_table(len(q), len(g), device=q.device)
        few, size = tile_size(q, g, paths=not self.unaligned)
        with torch.no_grad(), torch.autocast(q.device.type, enabled=False):
            some = range(0, len(q), few)
            lefts = [(row, with_norms(q[row : row + few], last=False)) for row in some]

            def fill(starts: range) -> None:
                room = g.new_empty(size * g.shape[2] * (g.shape[1] + 2))
                for start in starts:
                    stripes = g[start : start + size]
                    right = with_norms(stripes, last=True, upside_down=not self.unaligned, room=room)
                    for row, left in lefts:
                        tile = summed(left, right) if self.unaligned else shortest(left, right)
                        table[row : row + few, start : start + size] = tile

            over_threads(fill, range(0, len(g), size), device=q.device)
        return table


@dataclass(frozen=True)
class GlobalLocalDistance:
    """The sum by which AlignedReID++ ranks: squared Euclidean of unit embeddings, and DMLI of the stripes.

    Args:
        unaligned: as in `LocalDistance`.
    """

    unaligned: bool = False

    def __call__(self, query: Features, gallery: Features) -> Tensor:
        """(Nq, Ng) float32. Raises ValueError for features without stripes."""
        local = LocalDistance(unaligned=self.unaligned)(query, gallery)
        return local.add_(EuclideanDistance(normalize=True)(query, gallery))


def tile_size(query: Tensor, gallery: Tensor, *, paths: bool) -> tuple[int, int]:
    """How many queries and gallery images are compared at a time."""
    if not len(query) or not len(gallery):
        return 1, 1
    on_cpu = query.device.type == "cpu"
    few = min(FEW, len(query)) if on_cpu else len(query)
    room = TILE if on_cpu else DEVICE_TILE
    pairs = few * query.shape[2] * (gallery.shape[2] if paths else 1)
    return few, max(1, min(room // pairs, 2 * room // gallery[0].numel()))


def with_norms(
    stripes: Tensor, *, last: bool, upside_down: bool = False, room: Tensor | None = None
) -> Tensor:
    """(N, d, S) to (S, N, d + 2), so that a row of a first with a row of a last one multiply to D^2.

    Args:
        upside_down: the lowest stripe comes first.
        room: memory to write on, as a new piece would fault its pages in anew.
    """
    images, dim, height = stripes.shape
    rows = (height, images, dim + 2)
    out = stripes.new_empty(rows) if room is None else room[: height * images * (dim + 2)].view(rows)
    norm = torch.linalg.vector_norm(stripes, dim=1).square()  # (N, S)
    for place, stripe in enumerate(reversed(range(height)) if upside_down else range(height)):
        torch.mul(stripes[:, :, stripe], -1 if last else 2, out=out[place, :, :dim])
        out[place, :, dim], out[place, :, dim + 1] = (1, norm[:, stripe]) if last else (norm[:, stripe], 1)
    return out


def cost_(squared: Tensor) -> Tensor:
    """tanh(D / 2) = 2 sigmoid(D) - 1 from D^2, in place; the sigmoid takes a sixth of the tanh's time."""
    return squared.clamp_(min=1e-12).sqrt_().sigmoid_().mul_(2).sub_(1)


def summed(left: Tensor, right: Tensor) -> Tensor:
    """(N, M): the costs of each stripe of (S, N, d + 2) with the same one of (S, M, d + 2)."""
    return cost_(torch.bmm(left, right.transpose(1, 2))).sum(0)


def shortest(left: Tensor, right: Tensor) -> Tensor:
    """(N, M): the shortest path through the costs of (S, N, d + 2) with (T, M, d + 2), the last stripe first.

    Each step of a path leads from one anti-diagonal of pairs to the next, so those are found in turn. As
    ``right`` is upside down, they are diagonals here.
    """
    down, across = len(left), len(right)
    costs = cost_(left.flatten(0, 1) @ right.flatten(0, 1).T)
    costs = costs.view(down, left.shape[1], across, right.shape[1])
    reached = costs.diagonal(across - 1, 0, 2)  # (N, M, 1)
    for step in range(1, down + across - 1):
        # (N, M, L), of which all but those in the first row and in the last column have two ways in.
        pairs = costs.diagonal(across - 1 - step, 0, 2)
        top, side = int(step < across), int(step < down)
        pairs[..., top : pairs.shape[2] - side] += torch.minimum(reached[..., :-1], reached[..., 1:])
        if top:
            pairs[..., 0] += reached[..., 0]
        if side:
            pairs[..., -1] += reached[..., -1]
        reached = pairs
    return reached[..., 0]
