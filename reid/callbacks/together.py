"""What ranks do together in an evaluation: each ranks a share of the queries, and all end if one fails."""

from dataclasses import replace

import pytorch_lightning as pl
import torch
from torch import Tensor

from reid.callbacks.columns import gather_rows
from reid.evaluation import Ranking

LEAST = 32  # queries of a share: BLAS adds up products of one to three rows in another order


def share(queries: int, trainer: pl.Trainer, *, least: int = LEAST) -> slice:
    """The queries that this rank ranks: contiguous, in the order of ranks, empty where there are few."""
    sharers = max(1, min(trainer.world_size, queries // least))
    begin, end = (min(trainer.global_rank + k, sharers) * queries // sharers for k in (0, 1))
    return slice(begin, end)


def gather_ranking(own: Ranking, trainer: pl.Trainer, *, device: torch.device) -> Ranking:
    """The rankings of all ranks' shares as one, as if one process had ranked all queries.

    Args:
        device: where ranks exchange tensors; the result lives on the CPU.
    """
    if trainer.world_size == 1:
        return own

    def gathered(values: Tensor) -> Tensor:
        return gather_rows(values.to(device), trainer).cpu()

    counts = gathered(own.positives)
    return replace(
        own,
        ranks=gathered(own.ranks),
        offsets=torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
        top=gathered(own.top),
        top_distance=gathered(own.top_distance),
    )


def agree(problem: Exception | None, trainer: pl.Trainer, *, device: torch.device) -> None:
    """Go on together, or end together: a rank that ended alone would leave the others waiting for it.

    Raises:
        ValueError: on every rank, what the first of those with a ``problem`` says.
    """
    if trainer.world_size == 1:
        if problem is not None:
            raise problem
        return
    words = "" if problem is None else str(problem) or type(problem).__name__
    letters = torch.tensor([*words.encode(), *b"\n"], device=device)  # int64: all backends gather it
    said = bytes(gather_rows(letters, trainer).tolist()).decode().split("\n")
    if first := next(filter(None, said), None):
        raise ValueError(first) from problem
