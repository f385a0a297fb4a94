"""task=search: the nearest gallery pictures of each query, without anybody's identity."""

import csv
import io
import logging
import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig

from reid.contracts import Features, Labels
from reid.datasets.features import SUFFIXES, FeatureSet, read_features
from reid.evaluation import (
    CosineDistance,
    EuclideanDistance,
    Ranking,
    embedding_distances,
    is_of_embeddings,
    nearest_by_faiss,
    rank,
    stripe_distances,
)
from reid.plots import NearestList, plot_nearest
from reid.tasks.extract import embed, network_of
from reid.tasks.sources import was_given
from reid.whole import write_whole

ENGINES = ("exact", "faiss")
GLOBAL = "global"  # what AlignedReID++'s distances say of embeddings alone

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
    if task.engine not in ENGINES:
        raise ValueError(f"task.engine={task.engine}: use {' or '.join(ENGINES)}")
    network = cache(lambda: network_of(config))  # two files of features need none
    sides = []
    for key in ("queries", "gallery"):
        given = Path(task[key])
        is_file = given.suffix.lower() in SUFFIXES
        sides.append(read_features(given) if is_file else embed(given, network(), said=f"task.{key}"))
    queries, gallery = sides
    check_same_network(queries, gallery)
    wanted = config.evaluation.distance if was_given("evaluation.distance") else None
    name, distance = distance_of(
        wanted or gallery.origin.distance, normalize=config.evaluation.normalize, engine=task.engine
    )
    search_by = {"exact": nearest, "faiss": nearest_of_index}[task.engine]
    found = search_by(queries, gallery, distance=distance, top=task.top)
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


def distance_of(
    name: str, *, normalize: bool, engine: str = "exact"
) -> tuple[str, EuclideanDistance | CosineDistance]:
    """The distance of embeddings by a network's or the user's name, and its own name.

    Files have no local features, so AlignedReID++'s distances of stripes become its global one.

    Raises:
        ValueError: a name that is not known, or a distance of stripes by faiss.
    """
    known = embedding_distances(normalize=normalize) | stripe_distances()
    if name in known and not is_of_embeddings(known[name]):
        if engine == "faiss":
            raise ValueError(
                f"task.engine=faiss compares one vector a picture, and evaluation.distance={name} looks at"
                f" stripes too: add evaluation.distance={GLOBAL}"
            )
        log.warning("%s compares local features too: the search is by %s features alone", name, GLOBAL)
        name = GLOBAL
    usable = {key: each for key, each in known.items() if is_of_embeddings(each)}
    if name not in usable:
        raise ValueError(f"evaluation.distance={name}: use {', '.join(usable)}")
    return name, usable[name]


def nearest(
    queries: FeatureSet, gallery: FeatureSet, *, distance: EuclideanDistance | CosineDistance, top: int
) -> Ranking:
    """The ``top`` nearest gallery pictures of each query, all compared; no query finds its own file."""
    labels = []
    for numbers in map(torch.from_numpy, files_of(queries, gallery)):
        # each file is an identity before one camera, so that what ranking leaves out is the query itself
        labels.append(Labels(numbers, torch.zeros_like(numbers)))
    first, second = (Features.of(torch.from_numpy(side.features)) for side in (queries, gallery))
    return rank(first, labels[0], second, labels[1], distance=distance, top=min(top, len(gallery.names)))


def nearest_of_index(
    queries: FeatureSet, gallery: FeatureSet, *, distance: EuclideanDistance | CosineDistance, top: int
) -> Ranking:
    """The same by faiss."""
    own, theirs = files_of(queries, gallery)
    top, images = min(top, len(theirs)), len(theirs)
    # As many more as a query may find of itself, which are taken out again
    repeated = int(np.bincount(theirs[np.isin(theirs, own)]).max(initial=0))
    rows, distances = nearest_by_faiss(
        queries.features, gallery.features, distance=distance, top=min(top + repeated, images)
    )
    itself = theirs[rows] == own[:, None]
    order = np.argsort(itself, axis=1, kind="stable")[:, :top]
    rows, distances, itself = (np.take_along_axis(each, order, 1) for each in (rows, distances, itself))
    return Ranking(
        ranks=torch.empty(0, dtype=torch.long),
        offsets=torch.zeros(len(own) + 1, dtype=torch.long),
        top=torch.from_numpy(np.where(itself, -1, rows)),
        top_distance=torch.from_numpy(np.where(itself, np.float32(np.inf), distances)),
        gallery_size=images,
    )


def files_of(queries: FeatureSet, gallery: FeatureSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(Nq,) and (Ng,) numbers, equal where the file is."""
    files: dict[Path, int] = {}
    own, theirs = (
        np.array([files.setdefault(path, len(files)) for path in side.paths], np.int64)
        for side in (queries, gallery)
    )
    return own, theirs


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
