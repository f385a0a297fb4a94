"""CMC, mAP and mINP of the whole query and gallery after every validation, on one process or many alike."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from reid.contracts import Batch, Distance, Features, Labels
from reid.evaluation import COUNTS, EuclideanDistance, Further, Ranking, rank, retrieval_metrics
from reid.evaluation.verification import Verification
from reid.modules import ReIDModule

Columns = dict[str, Tensor]  # a value per image
COLUMNS = ("index", "identity", "camera", "is_query")
KEPT = 10  # nearest gallery images of each query, for the pictures


@dataclass(frozen=True)
class Retrieval:
    """What one evaluation found. Rows of query and gallery are those of the benchmark's lists."""

    metrics: dict[str, dict[str, float]]  # distance -> figure -> value; fractions and counts
    rankings: dict[str, Ranking]  # distance -> ranking; empty on all ranks but the first
    verification: Verification | None  # by the first distance, on request; None on all ranks but the first
    seconds: float  # features and ranking


class RetrievalMetrics(pl.Callback):
    """Ranks the gallery for each query by one or more of the module's distances and logs ``val/...``.

    Args:
        distance: names the distance of ``val/mAP``, ``val/rank1`` ..., by which the best epoch is chosen.
        report: further distances, logged as ``val/<distance>/mAP`` ...
        normalize: L2-normalise features before the euclidean distance.
        ranks: the ranks of the CMC curve to report.
        same_camera: "exclude" or "keep" gallery images of the query's own identity and camera.
        average_precision: "rectangle" or "trapezoid".
        memory: bytes for ranking, beside features, as a number or as "500MB" or "2GB"; None: some 64 MB.
        further: figures to add to those of ``distance``, after training only; see `Further`.
    """

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
        further: Further | None = None,
    ) -> None:
        self.distance = distance
        self.report = [distance, *(name for name in report if name != distance)]
        self.normalize = normalize
        self.ranks = tuple(ranks)
        self.same_camera = same_camera
        self.average_precision = average_precision
        self.memory = in_bytes(memory)
        self.further = further or Further()
        self.stage = "val"  # what the names of logged figures begin with
        self.result: Retrieval | None = None
        self._features: list[Features] = []
        self._rows: list[dict[str, Any]] = []
        self._started = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.limit_val_batches != 1.0:
            raise ValueError(
                f"trainer.limit_val_batches={trainer.limit_val_batches}: a part of a gallery ranks nothing;"
                " leave it at 1.0 (fewer evaluations: trainer.check_val_every_n_epoch)"
            )
        assert isinstance(pl_module, ReIDModule)
        known = pl_module.distances()
        if unknown := [name for name in self.report if name not in known]:
            raise ValueError(
                f"evaluation.distance={unknown[0]}: this model is compared by {', '.join(sorted(known))}"
            )
        self._try_options()

    def _try_options(self) -> None:
        """Ask for all figures of three points: a bad option shall not come out after the training."""
        point = {"embedding": torch.arange(3.0)[:, None], "camera": torch.arange(3)}
        point["identity"] = torch.tensor([1, 1, 2])
        query, gallery = (
            {name: value[part] for name, value in point.items()} for part in (slice(1), slice(1, 3))
        )
        self._further(query, gallery, EuclideanDistance())

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._features, self._rows, self._started = [], [], time.perf_counter()

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
        columns = dict(batch)
        self._rows.append({name: columns[name] for name in COLUMNS})

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, ReIDModule)
        columns = {
            **feature_columns(self._features),
            **{name: torch.cat([row[name] for row in self._rows]) for name in self._rows[0]},
        }
        columns = {name: gather_rows(value, trainer) for name, value in columns.items()}
        self._features, self._rows = [], []
        metrics: dict[str, dict[str, float]] = {}
        rankings: dict[str, Ranking] = {}
        verification: Verification | None = None
        problem: ValueError | None = None
        if trainer.is_global_zero:
            try:
                records = trainer.datamodule.evaluation_records  # type: ignore[attr-defined]
                query, gallery = sides(in_list_order(columns, len(records)))
                columns.clear()  # stripes weigh more than images
                distances = pl_module.distances(normalize=self.normalize)
                rankings = {name: self._rank(query, gallery, distances[name]) for name in self.report}
                metrics = {name: self._figures(ranking) for name, ranking in rankings.items()}
                if trainer.state.fn == TrainerFn.VALIDATING:
                    more, verification = self._further(query, gallery, distances[self.distance])
                    metrics[self.distance] |= more
            except ValueError as error:  # the other ranks wait below
                problem = error
        problem, metrics = trainer.strategy.broadcast((problem, metrics))
        if problem is not None:
            raise problem
        self.result = Retrieval(metrics, rankings, verification, time.perf_counter() - self._started)
        for name in self.report:
            place = self.stage if name == self.distance else f"{self.stage}/{name}"
            fractions = {key: value for key, value in metrics[name].items() if key not in COUNTS}
            pl_module.log_dict({f"{place}/{key}": value for key, value in fractions.items()})

    def _rank(self, query: Columns, gallery: Columns, distance: Distance) -> Ranking:
        return rank(
            features_of(query),
            labels_of(query),
            features_of(gallery),
            labels_of(gallery),
            distance=distance,
            top=KEPT,
            same_camera=self.same_camera,
            memory=self.memory,
        )

    def _further(
        self, query: Columns, gallery: Columns, distance: Distance
    ) -> tuple[dict[str, float], Verification | None]:
        return self.further(
            features_of(query),
            labels_of(query),
            features_of(gallery),
            labels_of(gallery),
            distance=distance,
            ranks=self.ranks,
            rule=self.average_precision,
            same_camera=self.same_camera,
            memory=self.memory,
        )

    def _figures(self, ranking: Ranking) -> dict[str, float]:
        return retrieval_metrics(ranking, ranks=self.ranks, rule=self.average_precision)


def in_bytes(amount: int | str | None) -> int | None:
    """The number that "2GB" or "500 MB" stands for.

    Raises:
        ValueError: it stands for none.
    """
    if amount is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMG]?)B?", str(amount), re.IGNORECASE)
    if not match:
        raise ValueError(
            f"evaluation.memory={amount!r}: use a number of bytes, or one with kB, MB or GB, as 2GB"
        )
    return int(float(match[1]) * 1000 ** " kmg".index(match[2].lower() or " "))


def sides(columns: Columns) -> tuple[Columns, Columns]:
    """The rows of the query, and those of the gallery."""
    is_query = columns["is_query"]
    query = {name: value[is_query] for name, value in columns.items()}
    return query, {name: value[~is_query] for name, value in columns.items()}


def labels_of(columns: Columns) -> Labels:
    """Who is on each image, and by which camera."""
    return Labels(columns["identity"], columns["camera"])


def feature_columns(batches: Sequence[Features]) -> Columns:
    """What distances compare, in float32: embeddings and, where the network has them, stripes."""
    columns = {"embedding": torch.cat([features.embedding.float() for features in batches])}
    if stripes := [features.stripes.float() for features in batches if features.stripes is not None]:
        columns["stripes"] = torch.cat(stripes)
    return columns


def features_of(columns: Columns) -> Features:
    """The features that `feature_columns` took apart."""
    embedding = columns["embedding"]
    return Features(embedding=embedding, pooled=embedding, stripes=columns.get("stripes"))


def gather_rows(values: Tensor, trainer: pl.Trainer) -> Tensor:
    """The rows of all ranks, one after the other; ranks may hold different numbers of them."""
    if trainer.world_size == 1:
        return values
    counts = trainer.strategy.all_gather(torch.tensor(len(values), device=values.device)).flatten().tolist()
    padded = values.new_zeros((max(counts), *values.shape[1:]))
    padded[: len(values)] = values
    gathered = trainer.strategy.all_gather(padded)
    return torch.cat([part[:count] for part, count in zip(gathered, counts, strict=True)])


def in_list_order(columns: Columns, length: int) -> Columns:
    """Rows sorted by ``index``, the copies that padding makes left out.

    Raises:
        ValueError: not every row of the list was evaluated.
    """
    index = columns["index"]
    position = index.new_full((length,), -1)
    position[index] = torch.arange(len(index), device=index.device)
    if (missing := int((position < 0).sum())) > 0:
        raise ValueError(
            f"{missing} of {length} images were not evaluated: do not limit or shorten the loader"
        )
    return {name: value[position] for name, value in columns.items()}
