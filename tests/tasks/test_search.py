"""task=extract and task=search: files that say whose they are, and neighbours that numpy finds too."""

import csv
import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tasks.conftest import Outcome, Program

from reid.datasets.features import FeatureSet, Origin, read_features, write_features
from reid.inference import Embedder
from reid.tasks.search import distance_of, nearest, nearest_of_index

ORIGIN = Origin(
    model="osnet",
    file="best.ckpt",
    digest="ab12",
    image_size=(64, 32),
    distance="euclidean",
    folder="/pictures",
    version="1",
)
LOCAL = "evaluation.distance=local"
FORMS = ["x.h5", "x.hdf5", "x.npz", "x.parquet"]


def some(count: int = 5, *, seed: int = 0, **origin: object) -> FeatureSet:
    features = np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32)
    names = [f"{seed}/{row} ü.jpg" for row in range(count)]
    return FeatureSet(names, features, replace(ORIGIN, **origin))  # type: ignore[arg-type]


def by_numpy(queries: np.ndarray, gallery: np.ndarray, *, distance: str) -> np.ndarray:
    """(Nq, Ng) distances in float64, by their definition."""
    q, g = queries.astype(np.float64), gallery.astype(np.float64)
    if distance != "euclidean":
        q, g = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (q, g))
    if distance == "cosine":
        return 1 - q @ g.T
    return ((q[:, None] - g[None]) ** 2).sum(2)


def table(outcome: Outcome) -> list[dict[str, str]]:
    with (outcome.folder / "search.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def pictures(trained: Outcome, data: Path) -> dict[str, Path]:
    """The two sides of the benchmark that the network was trained on."""
    return {side: next(data.glob(f"*/{side}")) for side in ("query", "bounding_box_test")}


@pytest.fixture(scope="module")
def checkpoint(trained: Outcome) -> Path:
    return trained.folder / "checkpoints" / "best.ckpt"


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("count", [5, 0])
def test_a_file_gives_back_what_was_written(name: str, count: int, tmp_path: Path) -> None:
    written = some(count)
    write_features(written, tmp_path / name)
    found = read_features(tmp_path / name)
    assert list(found.names) == written.names
    assert found.features.dtype == np.float32
    assert np.array_equal(found.features, written.features)
    assert found.origin == ORIGIN
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", FORMS)
def test_a_file_of_something_else_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="task=extract"):
        read_features(tmp_path / name)
    (tmp_path / name).write_bytes(b"something else")
    with pytest.raises(ValueError, match="is no file of features"):
        read_features(tmp_path / name)
    with pytest.raises(ValueError, match=r"end with \.h5"):
        write_features(some(), tmp_path / "x.txt")


def test_pickles_in_a_file_are_not_executed(tmp_path: Path) -> None:
    class Intruder:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "intruded"),)

    write_features(some(), tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "x.npz", **{**arrays, "features": np.array([Intruder()], object)}, allow_pickle=True)
    with pytest.raises(ValueError, match="is no file of features"):
        read_features(tmp_path / "x.npz")
    assert not (tmp_path / "intruded").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", FORMS)
def test_cut_files_are_refused(name: str, share: float, tmp_path: Path) -> None:
    write_features(some(500), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="is no file of features"):
        read_features(tmp_path / name)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    write_features(some(), tmp_path / "x.h5")
    broken = replace(some(), origin=None)
    with pytest.raises(TypeError):
        write_features(broken, tmp_path / "x.h5")
    assert len(read_features(tmp_path / "x.h5").names) == 5
    assert len(list(tmp_path.iterdir())) == 1


def test_pictures_are_searched_as_by_numpy(
    program: Program, checkpoint: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    """Gallery from a file, queries from a folder; features are the network's, neighbours numpy's."""
    file = tmp_path / "gallery.h5"
    words = [f"task.images={pictures['bounding_box_test']}", f"checkpoint={checkpoint}", f"task.to={file}"]
    extracted = program.inside("task=extract", *words)
    assert extracted.status == 0, extracted.err
    gallery = read_features(file)
    paths = sorted(pictures["bounding_box_test"].glob("*.jpg"))
    embedder = Embedder(checkpoint, "cpu", progress=False)
    assert list(gallery.names) == [path.name for path in paths]
    again = embedder(paths)
    assert np.abs(gallery.features - again).max() < 1e-5 * np.abs(again).max()
    assert (gallery.origin.model, gallery.origin.image_size) == ("osnet_x0_25", (64, 32))

    queries = sorted(pictures["query"].glob("*.jpg"))
    words = [f"task.queries={pictures['query']}", f"task.gallery={file}", "task.top=4", "task.show=3"]
    found = program.inside("task=search", f"checkpoint={checkpoint}", *words)
    assert found.status == 0, found.err
    features = embedder(queries)
    distances = by_numpy(features, gallery.features, distance=embedder.distance)
    rows = table(found)
    assert [(row["query"], int(row["rank"])) for row in rows] == [
        (path.name, place) for path in queries for place in (1, 2, 3, 4)
    ]
    # near copies may change places: the error of float32 is about 1e-7 of both squared norms
    close = 1e-6 * (np.square(features).sum(1).max() + np.square(gallery.features).sum(1).max())
    assert close < 0.01 * np.median(distances)
    wanted = np.sort(distances, axis=1)[:, :4].ravel()
    chosen = [gallery.names.index(row["gallery"]) for row in rows]
    assert len(set(zip((row["query"] for row in rows), chosen, strict=True))) == len(rows)
    assert np.abs(distances[np.repeat(np.arange(len(queries)), 4), chosen] - wanted).max() < close
    assert np.abs([float(row["distance"]) for row in rows] - wanted).max() < close
    sheet = cv2.imread(str(found.folder / "plots" / "search.png"))
    assert sheet.shape[0] > 3 * 64


@pytest.mark.parametrize(
    ("engine", "distance", "given"),
    [
        ("exact", "euclidean", None),
        ("exact", "global_local", None),
        ("exact", "euclidean", "cosine"),
        ("faiss", "euclidean", None),
        ("faiss", "global_local", "global"),
        ("faiss", "euclidean", "cosine"),
    ],
)
def test_files_are_searched_without_a_network(
    engine: str, distance: str, given: str | None, program: Program, tmp_path: Path
) -> None:
    if engine == "faiss":
        pytest.importorskip("faiss")
    queries, gallery = some(3, seed=1, distance=distance), some(7, seed=2, distance=distance)
    write_features(queries, tmp_path / "q.npz")
    write_features(gallery, tmp_path / "g.parquet")
    words = [f"task.queries={tmp_path / 'q.npz'}", f"task.gallery={tmp_path / 'g.parquet'}", "task.top=99"]
    words += [f"evaluation.distance={given}"] if given else []
    words += [f"task.engine={engine}"]
    found = program.inside("task=search", *words, small=False)
    assert found.status == 0, found.err
    assert ("global features alone" in found.err) == (distance == "global_local" and not given)
    wanted = by_numpy(queries.features, gallery.features, distance=given or distance)
    order = wanted.argsort(axis=1, kind="stable")
    rows = table(found)
    assert [row["gallery"] for row in rows] == [gallery.names[row] for row in order.ravel()]
    values = [float(row["distance"]) for row in rows]
    assert np.allclose(values, np.sort(wanted, axis=1).ravel(), rtol=1e-4, atol=1e-5)
    assert not (found.folder / "plots").exists()  # its pictures are nowhere


def test_a_query_does_not_find_itself(program: Program, tmp_path: Path) -> None:
    one = some(6)
    write_features(one, tmp_path / "x.h5")
    found = program.inside(
        "task=search", f"task.queries={tmp_path / 'x.h5'}", f"task.gallery={tmp_path / 'x.h5'}", small=False
    )
    rows = table(found)
    assert len(rows) == 6 * 5
    assert all(row["query"] != row["gallery"] for row in rows)


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "global"])
@pytest.mark.parametrize("top", [3, 40, 99])
def test_faiss_finds_what_the_exact_search_finds(distance: str, top: int) -> None:
    """Also where queries are pictures of the gallery, twice among them, and where some are equal."""
    pytest.importorskip("faiss")
    gallery = some(40, seed=2)
    features, names = gallery.features.copy(), list(gallery.names)
    features[7], names[9] = features[3], names[5]
    gallery = replace(gallery, features=features, names=names)
    queries = replace(
        some(6, seed=3),
        names=["new", names[3], names[5], names[39], "1", "2"],
        features=np.concatenate([features[[0, 3, 5, 39]], some(2, seed=4).features]),
    )
    _, chosen = distance_of(distance, normalize=False)
    ours = nearest(queries, gallery, distance=chosen, top=top)
    theirs = nearest_of_index(queries, gallery, distance=chosen, top=top)
    assert np.array_equal(ours.top.numpy(), theirs.top.numpy())
    assert np.allclose(ours.top_distance, theirs.top_distance, rtol=1e-5, atol=1e-5)
    assert len(theirs) == 6


def test_without_faiss_a_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    _, distance = distance_of("cosine", normalize=False)
    with pytest.raises(
        ValueError, match=r"needs faiss .*pip install 'reid-lightning\[faiss\]'.*task\.engine=exact"
    ):
        nearest_of_index(some(2), some(3), distance=distance, top=1)


def test_faiss_refuses_features_that_are_not_finite() -> None:
    pytest.importorskip("faiss")
    broken = some(3)
    broken.features[1, 2] = np.nan
    _, distance = distance_of("euclidean", normalize=False)
    with pytest.raises(ValueError, match="NaN or infinite"):
        nearest_of_index(some(2), broken, distance=distance, top=1)


def test_a_list_names_its_pictures(
    program: Program, checkpoint: Path, pictures: dict[str, Path], tmp_path: Path
) -> None:
    names = ["b/2.jpg", "1.jpg"]
    for name, source in zip(names, sorted(pictures["query"].glob("*.jpg")), strict=False):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(source.read_bytes())
    (tmp_path / "list.txt").write_text("b/2.jpg\n\n1.jpg\n")
    words = [f"task.images={tmp_path / 'list.txt'}", f"checkpoint={checkpoint}"]
    assert program.inside("task=extract", *words, f"task.to={tmp_path / 'x.npz'}").status == 0
    assert list(read_features(tmp_path / "x.npz").names) == names
    (tmp_path / "list.txt").write_text("3.jpg\n")
    missing = program.inside("task=extract", *words, f"task.to={tmp_path / 'y.npz'}")
    assert missing.status == 1
    assert "names 3.jpg" in missing.err
    assert not (tmp_path / "y.npz").exists()


def test_mistakes_are_named(program: Program, checkpoint: Path, tmp_path: Path) -> None:
    write_features(some(), tmp_path / "a.h5")
    write_features(some(model="osnet_x0_5"), tmp_path / "b.h5")
    write_features(some(digest="cd34", file="other.ckpt"), tmp_path / "c.h5")
    a, b, c = (f"{tmp_path / name}.h5" for name in "abc")
    for words, said in (
        (["task=extract"], "give task.images=DIR"),
        (["task=extract", f"task.images={tmp_path}", "task.to=x.csv"], "x.csv: files of features end with"),
        (
            ["task=extract", f"task.images={tmp_path}", "task.to=x.h5"],
            "task=extract needs one network: give checkpoint=PATH",
        ),
        (["task=search", f"task.queries={a}"], "task.gallery=None"),
        (["task=search", f"task.queries={a}", "task.gallery=x.h5"], "no file at x.h5"),
        (["task=search", f"task.queries={a}", f"task.gallery={b}"], "of different networks (osnet, 64 x 32"),
        (["task=search", f"task.queries={a}", f"task.gallery={a}", "task.top=0"], "task.top=0"),
        (["task=search", f"task.queries={a}", f"task.gallery={a}", "evaluation.distance=far"], "far: use"),
        (["task=search", f"task.queries={a}", f"task.gallery={a}", "task.engine=far"], "use exact or faiss"),
        (
            ["task=search", f"task.queries={a}", f"task.gallery={a}", "task.engine=faiss", LOCAL],
            "evaluation.distance=local looks at stripes too: add evaluation.distance=global",
        ),
    ):
        outcome = program.inside(*words, small=False)
        assert outcome.status == 1
        assert said in outcome.err
    for words, said in (
        (["task=extract", "task.images=none", "task.to=x.h5"], "task.images=none: there is no such folder"),
        (["task=search", f"task.queries={a}", "task.gallery=none"], "task.gallery=none: there is no such"),
    ):
        assert said in program.inside(*words, f"checkpoint={checkpoint}", small=False).err
    warned = program.inside("task=search", f"task.queries={a}", f"task.gallery={c}", small=False)
    assert warned.status == 0
    assert "gallery by other.ckpt" in warned.err
