"""What evaluation batches leave: columns of values per image, gathered over ranks, in the list's order."""

from collections.abc import Collection, Mapping, Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor

from reid.contracts import Batch, Features, Labels
from reid.evaluation import confusion_matrix

Columns = dict[str, Tensor]  # a value per image
LABELS = ("index", "identity", "camera", "is_query")
TRUE, PREDICTED = "true ", "predicted "  # columns of attributes: these words and a name


def label_columns(batch: Batch, scored: Collection[str] = ()) -> Columns:
    """What is known about the images of a batch; of their attributes those that the network scores."""
    known = dict(batch)
    labels: Columns = {name: known[name] for name in LABELS}  # type: ignore[misc]
    both = sorted(set(scored) & batch["attributes"].keys())
    return labels | {TRUE + name: batch["attributes"][name] for name in both}


def sides(columns: Columns) -> tuple[Columns, Columns]:
    """The rows of the query, and those of the gallery."""
    is_query = columns["is_query"]
    query = {name: value[is_query] for name, value in columns.items()}
    return query, {name: value[~is_query] for name, value in columns.items()}


def labels_of(columns: Columns) -> Labels:
    """Who is on each image, and by which camera."""
    return Labels(columns["identity"], columns["camera"])


def feature_columns(batches: Sequence[Features]) -> Columns:
    """What distances compare, in float32: embeddings and, where the network has them, stripes.

    Of attributes the value with the highest score, in a column each.
    """
    columns = {"embedding": torch.cat([features.embedding.float() for features in batches])}
    if stripes := [features.stripes.float() for features in batches if features.stripes is not None]:
        columns["stripes"] = torch.cat(stripes)
    for name in sorted(batches[0].attributes):
        columns[PREDICTED + name] = torch.cat([each.attributes[name].argmax(1) for each in batches])
    return columns


def features_of(columns: Columns) -> Features:
    """The features that `feature_columns` took apart."""
    embedding = columns["embedding"]
    return Features(embedding=embedding, pooled=embedding, stripes=columns.get("stripes"))


def confusion_matrices(columns: Columns, classes: Mapping[str, int]) -> Columns:
    """Name -> (A, A) int64, true x predicted, of attributes that were scored and are known of some image.

    Args:
        classes: name -> A, how many values the network has scores for.

    Raises:
        ValueError: a label that the network has no score for.
    """
    matrices = {
        name: confusion_matrix(columns[TRUE + name], columns[PREDICTED + name], classes=count, name=name)
        for name, count in sorted(classes.items())
        if TRUE + name in columns
    }
    return {name: matrix for name, matrix in matrices.items() if matrix.any()}


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
