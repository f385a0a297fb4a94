"""task=search: the nearest gallery pictures of each query, without anybody's identity."""

import csv
import io
import logging
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig

from reid.contracts import Distance, Features, Labels
from reid.datasets.features import SUFFIXES, FeatureSet, read_features
from reid.evaluation import CosineDistance, EuclideanDistance, Ranking, rank
from reid.plots import NearestList, plot_nearest
from reid.tasks.extract import embed, network_of
from reid.tasks.sources import was_given
from reid.whole import write_whole

GLOBAL = "global"  # AlignedReID++'s distance of embeddings
LOCAL = ("local", "unaligned", "global_local", "global_unaligned")  # these compare stripes too

log = logging.getLogger(__name__)


def search(config: DictConfig) -> None:
    """Rank ``task.gallery`` for each of ``task.queries`` and leave search.csv and plots/search.png.

    Raises:
        FileNotFoundError: no such pictures, features or network.
        ValueError: too little is given, an option is out of range, or both sides are not of one network.
    """
    task = config.task
    if task.queries is None or task.gallery is None:
        raise ValueError(
            f"task.queries={task.queries} and task.gallery={task.gallery}: give each a folder, a list (.txt),"
            " a picture or a file of task=extract"
        )
    if task.top < 1 or task.show < 0:
        raise ValueError(f"task.top={task.top} must be at least 1, and task.show={task.show} at least 0")
    network = cache(lambda: network_of(config))  # two files of features need none
    sides = []
    for given in (Path(task.queries), Path(task.gallery)):
        is_file = given.suffix.lower() in SUFFIXES
        sides.append(read_features(given) if is_file else embed(given, network()))
    queries, gallery = sides
    check_same_network(queries, gallery)
    wanted = config.evaluation.distance if was_given("evaluation.distance") else None
    name, distance = distance_of(wanted or gallery.origin.distance, normalize=config.evaluation.normalize)
    found = nearest(queries, gallery, distance=distance, top=task.top)
    folder = Path(config.paths.output)
    write_csv(queries, gallery, found, folder / "search.csv")
    drawn = draw(queries, gallery, found, folder / "plots" / "search.png", show=task.show, distance=name)
    parts = f"{len(queries.names):,} queries in {len(gallery.names):,} pictures by {name} distance"
    files = " and ".join(str(path) for path in (folder / "search.csv", drawn) if path)
    sys.stdout.write(f"{parts}: {files}\n")


def check_same_network(queries: FeatureSet, gallery: FeatureSet) -> None:
    """Refuse features of two models; of two files of one model, as a checkpoint and its export, warn.

    Raises:
        ValueError: with both.
    """
    ours, theirs = (
        (each.origin.model, each.origin.image_size, each.features.shape[1]) for each in (queries, gallery)
    )
    if ours != theirs:
        said = " and ".join(f"{model}, {h} x {w}, {d} features" for model, (h, w), d in (ours, theirs))
        raise ValueError(
            f"queries and gallery are of different networks ({said}): extract both with the same one"
        )
    if queries.origin.digest != gallery.origin.digest:
        log.warning(
            "queries are by %s and gallery by %s: distances mean something only if both hold the same"
            " weights, as a checkpoint and what was exported of it",
            queries.origin.file,
            gallery.origin.file,
        )


def distance_of(name: str, *, normalize: bool) -> tuple[str, Distance]:
    """The distance of embeddings by a network's or the user's name, and its own name.

    Files have no local features, so AlignedReID++'s distances of stripes become its global one.

    Raises:
        ValueError: a name that is not known.
    """
    if name in LOCAL:
        log.warning("%s compares local features too: the search is by %s features alone", name, GLOBAL)
        name = GLOBAL
    known: Mapping[str, Distance] = {
        "euclidean": EuclideanDistance(normalize=normalize),
        "cosine": CosineDistance(),
        GLOBAL: EuclideanDistance(normalize=True),
    }
    if name not in known:
        raise ValueError(f"evaluation.distance={name}: use {', '.join(known)}")
    return name, known[name]


def nearest(queries: FeatureSet, gallery: FeatureSet, *, distance: Distance, top: int) -> Ranking:
    """The ``top`` nearest gallery pictures of each query, all compared; no query finds its own file."""
    files: dict[Path, int] = {}
    labels = []
    for side in (queries, gallery):
        # each file is an identity before one camera, so that what ranking leaves out is the query itself
        numbers = [files.setdefault(path, len(files)) for path in side.paths]
        identity = torch.tensor(numbers, dtype=torch.long)
        labels.append(Labels(identity, torch.zeros_like(identity)))
    first, second = (
        Features(embedding=vectors, pooled=vectors)
        for vectors in (torch.from_numpy(side.features) for side in (queries, gallery))
    )
    return rank(first, labels[0], second, labels[1], distance=distance, top=min(top, len(gallery.names)))


def write_csv(queries: FeatureSet, gallery: FeatureSet, found: Ranking, path: Path) -> None:
    """A row a query and rank, ranks from 1."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["query", "rank", "gallery", "distance"])
    for query, top, distances in zip(queries.names, found.top.tolist(), found.top_distance, strict=True):
        for place, (row, distance) in enumerate(zip(top, distances.tolist(), strict=True), 1):
            if row >= 0:
                rows.writerow([query, place, gallery.names[row], f"{distance:.7g}"])
    write_whole(path, text.getvalue().encode())


def draw(
    queries: FeatureSet, gallery: FeatureSet, found: Ranking, path: Path, *, show: int, distance: str
) -> Path | None:
    """The contact sheet of some queries, or None where none is wanted or no picture is where it was."""
    count = len(queries.names)
    places = np.unique(np.linspace(0, count - 1, min(show, count)).round().astype(int)).tolist()
    sources, targets = queries.paths, gallery.paths
    lists = []
    for place in places:
        pairs = zip(found.top[place].tolist(), found.top_distance[place].tolist(), strict=True)
        near = [(row, distance_to) for row, distance_to in pairs if row >= 0]
        lists.append(
            NearestList(
                title=queries.names[place],
                query=sources[place],
                gallery=[targets[row] for row, _ in near],
                distance=[distance_to for _, distance_to in near],
            )
        )
    if not any(one.query.is_file() for one in lists):
        if lists:
            log.warning("no search.png: the queries are not in %s any more", queries.origin.folder)
        return None
    which = "" if len(places) == count else f", {len(places)} of {count:,} queries"
    return plot_nearest(lists, path, title=f"Nearest by {distance} distance{which}")
