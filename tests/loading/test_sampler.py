"""Batches: their make-up, their number, and how processes and epochs share them."""

from collections import Counter
from collections.abc import Iterable
from itertools import chain

import numpy as np
import pytest
from torch.utils.data import DistributedSampler

from reid.loading import DrawBatchSampler, EvaluationBatchSampler, IdentitySampler, RandomSampler

COUNTS = [1, 2, 3, 4, 5, 9, 12, 13, 20, 6, 7, 8, 16, 15, 2, 30]  # images of each identity
IDENTITIES = np.random.default_rng(0).permutation(np.repeat(np.arange(100, 116), COUNTS)).tolist()
P, K = 4, 4


def sampler(rank: int = 0, processes: int = 1, epoch: int = 0, seed: int = 0) -> IdentitySampler:
    made = IdentitySampler(
        IDENTITIES,
        identities_per_batch=P,
        images_per_identity=K,
        seed=seed,
        num_replicas=processes,
        rank=rank,
    )
    made.set_epoch(epoch)
    return made


def cut(rows: Iterable[int], size: int) -> list[list[int]]:
    rows = list(rows)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def test_a_batch_is_p_identities_with_k_images_each() -> None:
    for epoch in range(5):
        for batch in cut(sampler(epoch=epoch), P * K):
            people = [{IDENTITIES[row] for row in group} for group in cut(batch, K)]
            assert all(len(person) == 1 for person in people)
            assert len(set.union(*people)) == P


def test_an_image_comes_once_an_epoch_and_small_identities_are_drawn_with_replacement() -> None:
    rows = list(sampler())
    per_identity = Counter(IDENTITIES[row] for row in rows)
    for identity, count in zip(range(100, 116), COUNTS, strict=True):
        assert per_identity[identity] <= max(count // K, 1) * K  # the remainder is left out
    for row, times in Counter(rows).items():
        assert times == 1 or COUNTS[IDENTITIES[row] - 100] < K
    alone = IDENTITIES.index(100)  # one image
    epochs = chain.from_iterable(sampler(epoch=epoch) for epoch in range(10))
    assert Counter(epochs)[alone] % K == 0


def test_it_stops_when_fewer_than_p_identities_have_groups() -> None:
    used = Counter(IDENTITIES[row] for row in sampler())
    left = [
        max(count // K, 1) - used[identity] // K
        for identity, count in zip(range(100, 116), COUNTS, strict=True)
    ]
    assert sum(number > 0 for number in left) < P


def test_length_is_exact_and_the_same_in_every_epoch() -> None:
    for processes in (1, 2, 3):
        lengths = {
            length
            for epoch in range(20)
            for rank in range(processes)
            for made in [sampler(rank, processes, epoch)]
            for length in (len(made), len(list(made)))
        }
        assert len(lengths) == 1
        assert lengths.pop() % (P * K) == 0


def test_a_short_epoch_goes_on_with_fresh_groups() -> None:
    made = sampler()
    short = made._draw_epoch(1, length=None)
    assert made._draw_epoch(1, length=len(short) + 5)[: len(short)] == short
    assert len(made._draw_epoch(1, length=len(short) + 5)) == len(short) + 5


def test_ranks_share_out_the_batches_of_one_process() -> None:
    whole = cut(sampler(epoch=3), P * K)
    ranks = [cut(sampler(rank, 3, epoch=3), P * K) for rank in range(3)]
    assert [batch for turn in zip(*ranks, strict=True) for batch in turn] == whole[: len(whole) // 3 * 3]


def test_epochs_and_seeds_differ_and_repeat() -> None:
    orders = [list(sampler(epoch=epoch, seed=seed)) for seed in (0, 1) for epoch in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    made = sampler(epoch=1)
    assert list(made) == orders[1]
    made.set_epoch(0)
    assert list(made) == list(made) == orders[0]


def test_lightning_leaves_it_alone() -> None:
    assert isinstance(sampler(), DistributedSampler)


def test_impossible_batches_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"17 identities x 4 images .* 16 identities: lower data\.batch_size"
    ):
        IdentitySampler(IDENTITIES, identities_per_batch=17)
    with pytest.raises(ValueError, match=r"0 identities"):
        IdentitySampler(IDENTITIES, identities_per_batch=0)
    with pytest.raises(ValueError, match=r"fewer than the 64 processes: lower"):
        sampler(processes=64)


def test_random_sampler_deals_every_row_once() -> None:
    made = [RandomSampler(23, seed=5, num_replicas=4, rank=rank) for rank in range(4)]
    rows = [list(one) for one in made]
    assert [len(one) for one in made] == [len(one) for one in rows] == [5] * 4
    assert len(set(chain.from_iterable(rows))) == 20
    made[0].set_epoch(1)
    assert list(made[0]) != rows[0]
    later = RandomSampler(23, seed=6, num_replicas=4)
    assert list(later) != list(made[0]), "seed 6 is not seed 5 an epoch later"


def test_draws_have_seeds_of_their_own() -> None:
    seeds = set()
    for seed in (0, 1):
        for rank in (0, 1):
            rows = RandomSampler(20, num_replicas=2, rank=rank)
            batches = DrawBatchSampler(rows, 3, seed=seed)
            for epoch in (0, 1):
                rows.set_epoch(epoch)
                draws = list(batches)
                assert draws == list(batches)
                assert [draw.rows for draw in draws] == cut(rows, 3)[:3]
                assert len(draws) == len(batches) == 3
                seeds |= {draw.seed for draw in draws}
    assert len(seeds) == 2 * 2 * 2 * 3


def test_a_training_continues_in_mid_epoch() -> None:
    rows = RandomSampler(20)
    rows.set_epoch(4)
    whole = list(DrawBatchSampler(rows, 4))
    resumed = DrawBatchSampler(rows, 4, skip_batches=3)
    assert list(resumed) == list(resumed) == whole[3:], "Lightning makes an iterator it does not use"
    assert len(resumed) == 5
    rows.set_epoch(5)
    assert len(list(resumed)) == 5


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
def test_evaluation_keeps_the_batches_of_one_process(processes: int) -> None:
    single = list(EvaluationBatchSampler(50, 16))
    assert [row for draw in single for row in draw.rows] == list(range(50))
    assert [len(draw.rows) for draw in single] == [16, 16, 16, 2]
    ranks = [EvaluationBatchSampler(50, 16, num_replicas=processes, rank=rank) for rank in range(processes)]
    assert [
        draw for number in range(4) for draw in list(ranks[number % processes])[number // processes :][:1]
    ] == single
    assert sum(len(rank) for rank in ranks) == max(4, processes), "one without its own repeats a batch"


def test_once_is_one_group_of_each_identity_an_epoch() -> None:
    """AlignedReID++: Market-1501's 751 identities make 93 batches of 8 x 4, whatever their images."""
    rng = np.random.default_rng(0)
    identities = np.repeat(np.arange(751), rng.integers(2, 73, 751)).tolist()
    sampler = IdentitySampler(identities, identities_per_batch=8, images_per_identity=4, once=True)
    rows = list(sampler)
    assert len(rows) == len(sampler) == 93 * 32
    drawn = [identities[row] for row in rows[::4]]
    assert len(drawn) == len(set(drawn))
    assert all(len({identities[row] for row in rows[at : at + 4]}) == 1 for at in range(0, len(rows), 4))


def test_a_process_without_an_evaluation_batch_repeats_the_first() -> None:
    ranks = [EvaluationBatchSampler(20, 16, num_replicas=4, rank=rank) for rank in range(4)]
    assert [[draw.rows[0] for draw in each] for each in ranks] == [[0], [16], [0], [0]]
    assert all(len(each) == 1 for each in ranks)
