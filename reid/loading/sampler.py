"""Which rows of a list make up each batch, on which process, and the seed of that batch's augmentation."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import BatchSampler, DistributedSampler, Sampler


class Draw(NamedTuple):
    """What a loader is asked for: one batch."""

    rows: list[int]  # of the list of records
    seed: int  # of everything random in this batch: neither workers nor global state matter


class IdentitySampler(DistributedSampler[int]):
    """Batches of P identities with K images each, for losses that compare (torchreid recipe).

    An identity's images are shuffled and cut into groups of K, the remainder left out; one with fewer than K
    gives a single group, drawn with replacement. Each batch takes a group of each of P random identities that
    still have one, until fewer than P do. Every process builds the same list of batches and takes every W-th,
    so each has whole identities and equally many batches.

    By that rule one epoch has a batch more or less than another, but Lightning fixes an epoch's length before
    the first one and passes over the validation of a shorter one. So the length here is that of epoch 0: a
    longer epoch is cut, a shorter one goes on with fresh groups.

    Args:
        identities: of each row.
        identities_per_batch: P.
        images_per_identity: K.
        once: each identity has one group an epoch, not all of its images (AlignedReID++'s recipes).
        seed: with the epoch, decides every batch.
        num_replicas: processes, W.
        rank: this process.
    """

    def __init__(
        self,
        identities: Sequence[int],
        *,
        identities_per_batch: int,
        images_per_identity: int = 4,
        once: bool = False,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(identities, num_replicas=num_replicas, rank=rank, seed=seed)  # type: ignore[arg-type]
        self.identities_per_batch = identities_per_batch
        self.images_per_identity = images_per_identity
        self.groups = 1 if once else None  # of an identity, an epoch
        rows: dict[int, list[int]] = {}
        for row, identity in enumerate(identities):
            rows.setdefault(identity, []).append(row)
        self.rows = [np.array(rows[identity]) for identity in sorted(rows)]
        if not 1 <= identities_per_batch <= len(self.rows) or images_per_identity < 1:
            raise ValueError(
                f"a batch of {identities_per_batch} identities x {images_per_identity} images cannot be drawn"
                f" from {len(self.rows)} identities: lower data.batch_size or raise data.images_per_identity"
            )
        self.drawn = 0, self._draw_epoch(0, length=None)  # the latest epoch and its batches
        self.length = len(self.drawn[1])
        if self.length < num_replicas:
            raise ValueError(
                f"an epoch has {self.length} batches of {identities_per_batch} identities x"
                f" {images_per_identity} images, fewer than the {num_replicas} processes: lower"
                " data.batch_size or trainer.devices"
            )

    def __iter__(self) -> Iterator[int]:
        """Rows in the order of batches: K of one identity, K of the next, ..."""
        if self.drawn[0] != self.epoch:
            self.drawn = self.epoch, self._draw_epoch(self.epoch, length=self.length)
        own = self.drawn[1][self.rank :: self.num_replicas][: self.length // self.num_replicas]
        return (row for batch in own for row in batch)

    def __len__(self) -> int:
        """Rows of this process, the same in every epoch."""
        return self.length // self.num_replicas * self.identities_per_batch * self.images_per_identity

    def _draw_epoch(self, epoch: int, *, length: int | None) -> list[list[int]]:
        """The batches of all processes, ``length`` of them; or as many as the rule gives."""
        rng = np.random.default_rng((self.seed, epoch))
        groups = self._deal_groups(rng)
        batches: list[list[int]] = []
        while length is None or len(batches) < length:
            left = [number for number, own in enumerate(groups) if own]
            if len(left) < self.identities_per_batch:
                if length is None:
                    break
                groups = self._deal_groups(rng)
                continue
            chosen = rng.choice(left, self.identities_per_batch, replace=False)
            batches.append([row for number in chosen for row in groups[number].pop()])
        return batches

    def _deal_groups(self, rng: np.random.Generator) -> list[list[list[int]]]:
        """For each identity, its groups of K rows."""
        k = self.images_per_identity
        return [
            rng.permutation(own)[: len(own) // k * k].reshape(-1, k)[: self.groups].tolist()
            if len(own) >= k
            else [rng.choice(own, k).tolist()]
            for own in self.rows
        ]


class RandomSampler(DistributedSampler[int]):
    """All rows in random order, dealt to the processes in turn; the last ``rows mod W`` are left out."""

    def __init__(self, rows: int, *, seed: int = 0, num_replicas: int = 1, rank: int = 0) -> None:
        super().__init__(range(rows), num_replicas=num_replicas, rank=rank, seed=seed, drop_last=True)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[int]:
        # torch's own would add seed and epoch: seed 1 would repeat seed 0 one epoch late
        order = np.random.default_rng((self.seed, self.epoch)).permutation(len(self.dataset))  # type: ignore[arg-type]
        return iter(order[self.rank : self.total_size : self.num_replicas].tolist())


class DrawBatchSampler(BatchSampler):
    """A sampler's rows in batches, each with a seed made of (seed, epoch, rank, number of the batch).

    Args:
        sampler: one of the above; Lightning reaches its ``set_epoch`` through this attribute.
        batch_size: rows a batch.
        seed: of the run.
        drop_last: leave out a smaller last batch.
        skip_batches: already done of the epoch that ``sampler`` is in now: its iterations begin behind them,
            which continues a training that stopped in mid-epoch. The length remains that of the whole epoch.
    """

    def __init__(
        self,
        sampler: Sampler[int],
        batch_size: int,
        *,
        seed: int = 0,
        drop_last: bool = True,
        skip_batches: int = 0,
    ) -> None:
        super().__init__(sampler, batch_size, drop_last)
        self.seed = seed
        self.resumed = getattr(sampler, "epoch", 0), skip_batches

    def __iter__(self) -> Iterator[Any]:
        epoch = getattr(self.sampler, "epoch", 0)
        rank = getattr(self.sampler, "rank", 0)
        done = self.resumed[1] if epoch == self.resumed[0] else 0
        for number, rows in enumerate(super().__iter__()):
            if number >= done:
                entropy = np.random.SeedSequence((self.seed, epoch, rank, number))
                yield Draw(rows, int(entropy.generate_state(1, np.uint64)[0]))


class EvaluationBatchSampler(Sampler[Draw]):
    """All rows in order; of the batches that one process would make, process r takes r, r + W, ...

    So features come from the same batches on any number of processes, nothing is padded and nothing lost. A
    process without a batch of its own repeats the first one, as Lightning waits for evaluations on all; its
    rows are known by their ``index`` and left out.
    """

    def __init__(self, rows: int, batch_size: int, *, num_replicas: int = 1, rank: int = 0) -> None:
        starts = list(range(0, rows, batch_size)[rank::num_replicas]) or [0]
        self.draws = [Draw(list(range(start, min(start + batch_size, rows))), start) for start in starts]

    def __iter__(self) -> Iterator[Draw]:
        return iter(self.draws)

    def __len__(self) -> int:
        return len(self.draws)
