"""CMC, mAP and mINP of the whole query and gallery after every validation, on one process or many alike."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor

from reid.contracts import Batch, Features, Labels
from reid.evaluation import Ranking, rank, retrieval_metrics
from reid.modules import ReIDModule

COLUMNS = ("index", "identity", "camera", "is_query")
KEPT = 10  # nearest gallery images of each query, for the pictures


@dataclass(frozen=True)
class Retrieval:
    """What one evaluation found. Rows of query and gallery are those of the benchmark's lists."""

    metrics: dict[str, dict[str, float]]  # distance -> figure -> value; fractions and counts
    rankings: dict[str, Ranking]  # distance -> ranking; empty on all ranks but the first
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
    ) -> None:
        self.distance = distance
        self.report = [distance, *(name for name in report if name != distance)]
        self.normalize = normalize
        self.ranks = tuple(ranks)
        self.same_camera = same_camera
        self.average_precision = average_precision
        self.result: Retrieval | None = None
        self._features: list[Features] = []
        self._rows: list[dict[str, Any]] = []
        self._started = 0.0

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if trainer.limit_val_batches not in (1.0, 0, 0.0):
            raise ValueError(
                f"trainer.limit_val_batches={trainer.limit_val_batches}: a part of a gallery ranks nothing;"
                " leave it at 1.0, or at 0 to skip evaluation"
            )
        assert isinstance(pl_module, ReIDModule)
        known = pl_module.distances()
        if unknown := [name for name in self.report if name not in known]:
            raise ValueError(
                f"evaluation.distance={unknown[0]}: this model is compared by {', '.join(sorted(known))}"
            )

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
            "embedding": torch.cat([features.embedding.float() for features in self._features]),
            **{name: torch.cat([row[name] for row in self._rows]) for name in self._rows[0]},
        }
        columns = {name: gather_rows(value, trainer) for name, value in columns.items()}
        self._features, self._rows = [], []
        metrics: dict[str, dict[str, float]] = {}
        rankings: dict[str, Ranking] = {}
        if trainer.is_global_zero:
            records = trainer.datamodule.evaluation_records  # type: ignore[attr-defined]
            columns = in_list_order(columns, len(records))
            is_query = columns["is_query"]
            query = {name: value[is_query] for name, value in columns.items()}
            gallery = {name: value[~is_query] for name, value in columns.items()}
            distances = pl_module.distances(normalize=self.normalize)
            for name in self.report:
                rankings[name] = rank(
                    Features(embedding=query["embedding"], pooled=query["embedding"]),
                    Labels(query["identity"], query["camera"]),
                    Features(embedding=gallery["embedding"], pooled=gallery["embedding"]),
                    Labels(gallery["identity"], gallery["camera"]),
                    distance=distances[name],
                    top=KEPT,
                    same_camera=self.same_camera,
                )
                metrics[name] = retrieval_metrics(
                    rankings[name], ranks=self.ranks, rule=self.average_precision
                )
        metrics = trainer.strategy.broadcast(metrics)
        self.result = Retrieval(metrics, rankings, time.perf_counter() - self._started)
        for name in self.report:
            place = "val" if name == self.distance else f"val/{name}"
            counts = ("queries", "queries_skipped", "gallery")
            fractions = {key: value for key, value in metrics[name].items() if key not in counts}
            pl_module.log_dict({f"{place}/{key}": value for key, value in fractions.items()})


def gather_rows(values: Tensor, trainer: pl.Trainer) -> Tensor:
    """The rows of all ranks, one after the other; ranks may hold different numbers of them."""
    if trainer.world_size == 1:
        return values
    counts = trainer.strategy.all_gather(torch.tensor(len(values), device=values.device)).flatten().tolist()
    padded = values.new_zeros((max(counts), *values.shape[1:]))
    padded[: len(values)] = values
    gathered = trainer.strategy.all_gather(padded)
    return torch.cat([part[:count] for part, count in zip(gathered, counts, strict=True)])


def in_list_order(columns: dict[str, Tensor], length: int) -> dict[str, Tensor]:
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
