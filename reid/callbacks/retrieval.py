"""What the whole query and gallery say after every validation: CMC, mAP, mINP, and attributes' accuracy."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from reid.callbacks.columns import (
    Columns,
    confusion_matrices,
    feature_columns,
    gather_rows,
    in_list_order,
    label_columns,
    sides,
)
from reid.callbacks.measures import Measures, in_bytes
from reid.callbacks.scorer import Scorer
from reid.callbacks.together import agree, gather_ranking, share
from reid.contracts import Batch, Features
from reid.datasets.records import Benchmark
from reid.evaluation import COUNTS, Further, Ranking, Threshold, accuracy
from reid.evaluation.verification import Verification
from reid.modules import ReIDModule


@dataclass(frozen=True)
class Retrieval:
    """What one evaluation found. Rows of query and gallery are those of the benchmark's lists."""

    metrics: dict[str, dict[str, float]]  # distance -> figure -> value; fractions and counts
    rankings: dict[str, Ranking]  # distance -> ranking; empty on all ranks but the first
    verification: Verification | None  # by the first distance, on request; None on all ranks but the first
    seconds: float  # features and ranking
    attributes: dict[str, Tensor]  # name -> (A, A) int64, true x predicted; empty on all ranks but the first
    threshold: Threshold | None = None  # as verification, of global distances and where ``match_rate`` is set


class RetrievalMetrics(Scorer):
    """Ranks the gallery for each query by one or more of the module's distances and logs ``val/...``.

    Of attributes that the network scores and the benchmark knows, ``val/<name>_accuracy`` is the share of
    query and gallery images whose highest score is that of their value.

    Args:
        distance: names the distance of ``val/mAP``, ``val/rank1`` ..., by which the best epoch is chosen.
        report: further distances, logged as ``val/<distance>/mAP`` ...
        normalize: L2-normalise features before the euclidean distance.
        ranks: the ranks of the CMC curve to report.
        same_camera: "exclude" or "keep" gallery images of the query's own identity and camera.
        average_precision: "rectangle" or "trapezoid".
        memory: bytes for ranking, beside features, as a number or as "500MB" or "2GB"; None: some 64 MB.
        protocol: "image_to_image"; or "image_to_track" to rank VeRi's tracks, each as near as its nearest
            image, for benchmarks whose records have them.
        further: figures to add to those of ``distance``, after training only; see `Further`.

    Raises:
        ValueError: an option out of range, or ``further`` figures of tracks.
    """

    monitor = "val/mAP"
    result: Retrieval | None = None
    match_rate: float | None = None  # false positive rate whose distance is looked for, of ``stage`` "val"

    def __init__(
        self,
        distance: str = "euclidean",
        report: Sequence[str] = (),
        *,
        normalize: bool = False,
        ranks: Sequence[int] = (1, 5, 10, 20),
        same_camera: Literal["exclude", "keep"] = "exclude",
        average_precision: Literal["rectangle", "trapezoid"] = "rectangle",
        memory: int | str | None = None,
        protocol: Literal["image_to_image", "image_to_track"] = "image_to_image",
        further: Further | None = None,
    ) -> None:
        self.distance = distance
        self.report = [distance, *(name for name in report if name != distance)]
        self.normalize = normalize
        self.measures = Measures(
            tuple(ranks), same_camera, average_precision, in_bytes(memory), protocol, further or Further()
        )
        self._features: list[Features] = []
        self._labels: list[Columns] = []
        self._started = 0.0

    def score(self, result: Retrieval) -> float:
        return result.metrics[self.distance]["mAP"]

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.limit_val_batches != 1.0:
            raise ValueError(
                f"trainer.limit_val_batches={trainer.limit_val_batches}: a part of a gallery ranks nothing;"
                " leave it at 1.0 (fewer evaluations: trainer.check_val_every_n_epoch)"
            )
        if not isinstance(pl_module, ReIDModule):
            raise ValueError(
                f"{type(pl_module).__name__} has no features to rank: use callbacks=pose for keypoints"
            )
        known = pl_module.distances()
        if unknown := [name for name in self.report if name not in known]:
            raise ValueError(
                f"evaluation.distance={unknown[0]}: this model is compared by {', '.join(sorted(known))}"
            )
        self.measures.try_out()
        if self.measures.protocol == "image_to_track":
            self.check(trainer.datamodule.benchmark)  # type: ignore[attr-defined]

    def check(self, benchmark: Benchmark) -> None:
        """Look at a benchmark before its images are.

        Raises:
            ValueError: tracks are to be ranked, and its gallery does not consist of them.
        """
        self.measures.tracks(benchmark)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._features, self._labels, self._started = [], [], time.perf_counter()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        self._features.append(outputs)
        self._labels.append(label_columns(batch, outputs.attributes))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, ReIDModule)
        columns, scored = self._gathered(trainer)
        device = columns["index"].device
        problem: ValueError | MemoryError | None = None
        found = Retrieval({}, {}, None, 0.0, {})
        rankings: dict[str, Ranking] = {}
        try:
            query, gallery, matrices = self._sides(columns, scored, trainer)
            rankings = self._ranked(query, gallery, trainer, pl_module)
        except (ValueError, MemoryError) as error:
            problem = error
        agree(problem, trainer, device=device)
        rankings = {name: gather_ranking(own, trainer, device=device) for name, own in rankings.items()}
        if trainer.is_global_zero:
            try:
                found = self._found(query, gallery, matrices, rankings, trainer, pl_module)
            except (ValueError, MemoryError) as error:
                problem = error
        agree(problem, trainer, device=device)
        metrics = trainer.strategy.broadcast(found.metrics)
        self.result = replace(found, metrics=metrics, seconds=time.perf_counter() - self._started)
        for name in self.report:
            place = self.stage if name == self.distance else f"{self.stage}/{name}"
            fractions = {key: value for key, value in metrics[name].items() if key not in COUNTS}
            pl_module.log_dict({f"{place}/{key}": value for key, value in fractions.items()})

    def _gathered(self, trainer: pl.Trainer) -> tuple[Columns, dict[str, int]]:
        """The columns of all ranks, which gather them in one order; how many values of which attributes."""
        columns = {
            **feature_columns(self._features),
            **{name: torch.cat([labels[name] for labels in self._labels]) for name in self._labels[0]},
        }
        scored = {name: scores.shape[1] for name, scores in self._features[0].attributes.items()}
        self._features, self._labels = [], []
        return {name: gather_rows(value, trainer) for name, value in columns.items()}, scored

    def _sides(
        self, columns: Columns, scored: Mapping[str, int], trainer: pl.Trainer
    ) -> tuple[Columns, Columns, dict[str, Tensor]]:
        """Query, gallery and confusion matrices, from the columns of all ranks, which are used up."""
        datamodule = trainer.datamodule  # type: ignore[attr-defined]
        ordered = in_list_order(columns, len(datamodule.evaluation_records))
        columns.clear()  # stripes weigh more than images
        return *sides(ordered), confusion_matrices(ordered, scored)

    def _ranked(
        self, query: Columns, gallery: Columns, trainer: pl.Trainer, module: ReIDModule
    ) -> dict[str, Ranking]:
        """This rank's share of the queries, ranked by each distance."""
        own = share(len(query["index"]), trainer)
        distances = module.distances(normalize=self.normalize)
        tracks = self.measures.tracks(trainer.datamodule.benchmark)  # type: ignore[attr-defined]
        part = {name: value[own] for name, value in query.items()}
        return {name: self.measures.rank(part, gallery, distances[name], tracks) for name in self.report}

    def _found(
        self,
        query: Columns,
        gallery: Columns,
        matrices: dict[str, Tensor],
        rankings: dict[str, Ranking],
        trainer: pl.Trainer,
        module: ReIDModule,
    ) -> Retrieval:
        """All figures; those that need more than rankings are computed here, by the first rank alone."""
        metrics = {name: self.measures.figures(ranking) for name, ranking in rankings.items()}
        metrics[self.distance] |= {f"{name}_accuracy": accuracy(m) for name, m in matrices.items()}
        verification: Verification | None = None
        threshold: Threshold | None = None
        if trainer.state.fn == TrainerFn.VALIDATING:
            distance = module.distances(normalize=self.normalize)[self.distance]
            more, verification = self.measures.more(query, gallery, distance)
            metrics[self.distance] |= more
            if self.match_rate is not None and self.stage == "val":
                threshold = self.measures.threshold(query, gallery, distance, fpr=self.match_rate)
        return Retrieval(metrics, rankings, verification, 0.0, matrices, threshold)
