"""What the evaluation callback gathers and reports."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from reid.callbacks.columns import feature_columns, features_of, in_list_order
from reid.callbacks.measures import in_bytes
from reid.callbacks.retrieval import Retrieval, RetrievalMetrics
from reid.contracts import Batch, Features
from reid.datasets.records import Benchmark, Record
from reid.evaluation import Further, rows
from reid.modules import ReIDModule


def test_rows_come_back_in_list_order_without_the_copies_of_padding() -> None:
    columns = {"index": torch.tensor([2, 0, 3, 1, 0]), "value": torch.tensor([20, 0, 30, 10, 0])}
    assert in_list_order(columns, 4)["value"].tolist() == [0, 10, 20, 30]


def test_rows_that_were_not_evaluated_are_missed() -> None:
    with pytest.raises(ValueError, match="1 of 3 images were not evaluated"):
        in_list_order({"index": torch.tensor([0, 2])}, 3)


@pytest.mark.parametrize("stripes", [None, torch.arange(24, dtype=torch.bfloat16).view(4, 2, 3)])
def test_what_distances_compare_is_gathered_in_float32(stripes: torch.Tensor | None) -> None:
    embedding = torch.arange(8, dtype=torch.bfloat16).view(4, 2)
    whole = Features(embedding=embedding, pooled=embedding, stripes=stripes)
    gathered = features_of(feature_columns([rows(whole, slice(0, 3)), rows(whole, slice(3, 4))]))
    assert torch.equal(gathered.embedding, embedding.float())
    if stripes is None:
        assert gathered.stripes is None
    else:
        assert gathered.stripes is not None
        assert torch.equal(gathered.stripes, stripes.float())


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(None, None), (1000, 1000), ("2GB", 2 * 10**9), ("1.5 mb", 1_500_000), ("64k", 64_000), ("12B", 12)],
)
def test_amounts_of_memory(amount: int | str | None, expected: int | None) -> None:
    assert in_bytes(amount) == expected


@pytest.mark.parametrize("amount", ["2 apples", "-1", "", "GB", True])
def test_what_is_no_amount_of_memory(amount: int | str) -> None:
    with pytest.raises(ValueError, match=r"evaluation\.memory=.*as 2GB"):
        in_bytes(amount)


def test_the_distance_that_decides_comes_first_and_once() -> None:
    assert RetrievalMetrics("cosine", ["euclidean", "cosine"]).report == ["cosine", "euclidean"]


@dataclass
class Ranks:
    """Processes as threads, which wait for one another in each `all_gather` and `broadcast`."""

    count: int
    sent: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sent = [None] * self.count
        self.wait = threading.Barrier(self.count)

    def exchange(self, rank: int, value: Any) -> list[Any]:
        self.sent[rank] = value
        self.wait.wait(timeout=20)
        everyones = list(self.sent)
        self.wait.wait(timeout=20)
        return everyones

    def strategy(self, rank: int) -> SimpleNamespace:
        return SimpleNamespace(
            all_gather=lambda value: torch.stack(self.exchange(rank, value)),
            broadcast=lambda value: self.exchange(rank, value)[0],
        )

    def run(self, work: Callable[[int], Any]) -> list[Any]:
        """What ``work`` returns, or raises, on each rank."""
        results: list[Any] = [None] * self.count

        def guarded(rank: int) -> None:
            try:
                results[rank] = work(rank)
            except Exception as error:
                results[rank] = error

        threads = [threading.Thread(target=guarded, args=(rank,), daemon=True) for rank in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        return results


@dataclass(frozen=True)
class Sight:
    """A benchmark of three queries and some gallery images, and what a network says about them."""

    benchmark: Benchmark
    embedding: Tensor  # (N, D)
    scores: dict[str, Tensor]  # name -> (N, A)

    @property
    def records(self) -> list[Record]:
        return [*self.benchmark.query, *self.benchmark.gallery]

    def batch(self, numbers: Sequence[int]) -> tuple[Features, Batch]:
        which = torch.tensor(numbers)
        own = [self.records[row] for row in numbers]
        embedding = self.embedding[which]
        features = Features(embedding, embedding, attributes={k: v[which] for k, v in self.scores.items()})
        names = sorted(own[0].attributes)
        return features, Batch(
            image=torch.empty(len(own), 0),
            identity=torch.tensor([r.identity for r in own]),
            camera=torch.tensor([r.camera for r in own]),
            index=which,
            is_query=which < len(self.benchmark.query),
            attributes={name: torch.tensor([r.attributes[name] for r in own]) for name in names},
        )

    def evaluate(
        self, batches: Sequence[Sequence[Sequence[int]]], **options: Any
    ) -> tuple[list[Retrieval | Exception], list[dict[str, float]]]:
        """The result and the logged figures of each rank, which sees ``batches[rank]``."""
        ranks = Ranks(len(batches))
        logged: list[dict[str, float]] = [{} for _ in batches]

        def work(rank: int) -> Retrieval:
            network = nn.Identity()
            module = ReIDModule(network, {"none": lambda f, b: f.pooled.sum()}, loss_weights={"none": 1.0})
            module.log_dict = logged[rank].update  # type: ignore[assignment]
            trainer: Any = SimpleNamespace(
                world_size=len(batches),
                global_rank=rank,
                is_global_zero=rank == 0,
                strategy=ranks.strategy(rank),
                state=SimpleNamespace(fn=TrainerFn.FITTING),
                limit_val_batches=1.0,
                datamodule=SimpleNamespace(evaluation_records=self.records, benchmark=self.benchmark),
            )
            callback = RetrievalMetrics("euclidean", **options)
            callback.setup(trainer, module, "fit")
            callback.on_validation_epoch_start(trainer, module)
            for number, numbers in enumerate(batches[rank]):
                features, batch = self.batch(numbers)
                callback.on_validation_batch_end(trainer, module, features, batch, number)
            callback.on_validation_epoch_end(trainer, module)
            assert callback.result is not None
            return callback.result

        return ranks.run(work), logged


def sight(*, tracks: Sequence[int | None] = (3, 3, 4, 5, 5, 6, 6), largest: int = 2) -> Sight:
    """Vehicles 1, 2 and 3; colours of three values, of which some are not known, and no word about types."""
    colors = [0, 1, 2, 0, -1, 1, 2, largest, 0, 1]
    who = [(1, 0), (2, 0), (3, 0), (1, 1), (1, 1), (2, 1), (3, 2), (3, 2), (1, 0), (1, 0)]
    records = [
        Record(
            Path(f"{row}.jpg"), identity, camera, {"color": color}, track=None if row < 3 else tracks[row - 3]
        )
        for row, ((identity, camera), color) in enumerate(zip(who, colors, strict=True))
    ]
    place = torch.tensor([0.0, 10.0, 20.0, 9.0, 1.0, 11.0, 30.0, 12.0, 0.0, 0.1])
    predicted = torch.tensor([0, 1, 2, 1, 0, 1, 2, 2, 0, 2])
    scores = nn.functional.one_hot(predicted, 3).float()
    benchmark = Benchmark(
        "three", [], records[:3], records[3:], attributes={"color": ["red", "blue", "white"]}
    )
    return Sight(benchmark, place[:, None], {"color": scores, "type": torch.ones(10, 4)})


WHOLE = [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]]
PADDED = [[[0, 2, 4], [6, 8]], [[1, 3, 5], [7, 9], [0]]]  # of two ranks; row 0 twice
CONFUSION = [[2, 1, 0], [0, 2, 1], [0, 0, 3]]  # of the nine images whose colour is known, counted by hand


@pytest.mark.parametrize("batches", [WHOLE, PADDED])
def test_attributes_are_scored_over_query_and_gallery(batches: list[list[list[int]]]) -> None:
    results, logged = sight().evaluate(batches)
    for result, figures in zip(results, logged, strict=True):
        assert isinstance(result, Retrieval), result
        assert result.metrics["euclidean"]["color_accuracy"] == pytest.approx(7 / 9)
        assert figures["val/color_accuracy"] == pytest.approx(7 / 9)
        assert not any("type" in name for name in figures)
    first, *others = results
    assert {name: matrix.tolist() for name, matrix in first.attributes.items()} == {"color": CONFUSION}
    assert all(not other.attributes and not other.rankings for other in others)


def test_a_network_without_attributes_logs_none() -> None:
    whole = sight()
    _, (scored,) = whole.evaluate(WHOLE)
    (without,), (plain,) = Sight(whole.benchmark, whole.embedding, {}).evaluate(WHOLE)
    assert without.attributes == {}
    assert scored.keys() - plain.keys() == {"val/color_accuracy"}
    assert plain == {name: value for name, value in scored.items() if name in plain}


@pytest.mark.parametrize("batches", [WHOLE, PADDED])
def test_a_value_that_is_not_scored_stops_all_ranks(batches: list[list[list[int]]]) -> None:
    for problem in sight(largest=3).evaluate(batches)[0]:
        assert isinstance(problem, ValueError)
        assert "color has the label 3, and the network scores 3 values" in str(problem)


@pytest.mark.parametrize("batches", [WHOLE, PADDED])
def test_tracks_are_ranked(batches: list[list[list[int]]]) -> None:
    """Tracks 3 (vehicle 1, rows 3 and 4), 4 (2, row 5), 5 (3, rows 6 and 7) and 6, of query 0's own pass.

    Query 0 at 0: track 3 at 1, a match. Query 1 at 10: 3 and 4 at 1, the match is the second. Query 2 at 20:
    5 at 8 (row 7), a match.
    """
    results, _ = sight().evaluate(batches, protocol="image_to_track")
    assert isinstance(results[0], Retrieval), results
    figures = results[0].metrics["euclidean"]
    assert figures["mAP"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    assert figures["rank1"] == pytest.approx(2 / 3)
    assert figures["gallery"] == 4
    top = results[0].rankings["euclidean"].top[:, :4]  # gallery rows, whose list starts with row 3
    assert (top + 3).tolist() == [[4, 5, 7, 2], [3, 5, 7, 9], [7, 5, 3, 9]]


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        ((None,) * 7, r"none of 7 gallery images"),
        ((3, 3, 4, 5, None, 6, 6), r"1 of 7 .* the first is 7\.jpg"),
    ],
)
def test_tracks_are_asked_for_before_training(tracks: tuple[int | None, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RetrievalMetrics(protocol="image_to_track").check(sight(tracks=tracks).benchmark)
    RetrievalMetrics().check(sight(tracks=tracks).benchmark)
    (problem,), _ = sight(tracks=tracks).evaluate([[]], protocol="image_to_track")  # not one batch was seen
    assert isinstance(problem, ValueError)


@pytest.mark.parametrize(
    "asked", [{"rerank": True}, {"query_expansion": 5}, {"single_shot": 10}, {"verification": [1e-3]}]
)
def test_further_figures_are_of_images(asked: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=rf"image_to_track ranks tracks, and evaluation\.{next(iter(asked))} is"
    ):
        RetrievalMetrics(protocol="image_to_track", further=Further(**asked))


def test_protocols_are_named() -> None:
    with pytest.raises(
        ValueError, match=r"evaluation\.protocol='tracks': use image_to_image or image_to_track"
    ):
        RetrievalMetrics(protocol="tracks")
