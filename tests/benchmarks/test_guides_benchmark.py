"""Guide planes on one core: drawn, from files and from packs, beside the published way of reading them."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from reid.datasets import Record
from reid.loading.guides import DrawnGuides, FileGuides, Guides, PackedGuides, write_guide_files, write_pack

pytest.importorskip("pytest_benchmark")

BATCH, BATCHES, SIDE = 32, 8, 256
SIZES = np.full((BATCH, 2), SIDE)
COUNTS = {"heatmap": 36, "segment": 13}
GOALS = {"pack": 60, "drawn": 40, "files": 12, "lzf": 15, "gzip": 15}  # times the published way
COMPRESSIONS = {"pack": None, "lzf": "lzf", "gzip": "gzip"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Record]]:
    """Vehicles all of whose segments are seen, with files and with packs: source -> records."""
    folder = tmp_path_factory.mktemp("veri")
    rng = np.random.default_rng(0)
    records = []
    for row in range(BATCH * BATCHES):
        points = np.zeros((36, 3), np.float32)
        points[:, 2] = rng.uniform(0.5, 1, 36)
        for side in range(2):  # its 18 keypoints around a circle, in order; the other side beside it
            angles = np.arange(18) / 18 * 2 * np.pi + rng.normal(0, 0.02, 18)
            points[18 * side :, 0][:18] = 90 + 70 * side + 70 * np.cos(angles)
            points[18 * side :, 1][:18] = 120 + 70 * np.sin(angles) + rng.normal(0, 1, 18)
        records.append(Record(folder / "image_train" / f"{row:05d}.jpg", row, 0, keypoints=points))
    drawn = DrawnGuides(records, heatmap=True, segment=True, confidence=0)
    write_guide_files(records, lambda rows: drawn(rows, SIZES[: len(rows)]), heatmap=True, segment=True)
    made = {"drawn": records, "files": records}
    files = FileGuides(records, heatmap=True, segment=True, confidence=0)
    for name, compression in COMPRESSIONS.items():
        (folder / name).mkdir()
        write_pack(
            folder / name / "guides_train.h5",
            [record.path.name for record in records],
            planes=lambda rows: files(rows, SIZES[: len(rows)]),
            heatmap=True,
            segment=True,
            source="files",
            compression=compression,
        )
        made[name] = [
            replace(record, path=folder / name / "image_train" / record.path.name) for record in records
        ]
    return made


def published(records: Sequence[Record], kind: str, rows: Sequence[int]) -> NDArray[np.float32]:
    """PAMTRI: open each file, resize it to its image, stack them behind the image's channels, to float."""
    stacked = []
    for row in rows:
        folder = records[row].path.parents[1] / f"{kind}_train" / records[row].path.stem
        planes = [
            cv2.resize(cv2.imread(str(folder / f"{plane:02d}.jpg"), cv2.IMREAD_GRAYSCALE), (SIDE, SIDE))
            for plane in range(COUNTS[kind])
        ]
        stacked.append(np.stack(planes, -1).astype(np.float32) / 255)
    return np.stack(stacked)


def pictures_a_second(load: Callable[[list[int]], object], *, batches: int = BATCHES) -> float:
    """In processor time, so that neighbours on the machine count less."""
    start = time.process_time()
    for number in range(batches):
        load(list(range(number * BATCH, (number + 1) * BATCH)))
    return batches * BATCH / (time.process_time() - start)


def source_of(name: str, records: list[Record], kind: str) -> Guides:
    source = {"drawn": DrawnGuides, "files": FileGuides}.get(name, PackedGuides)
    return source(records, heatmap=kind == "heatmap", segment=kind == "segment")


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize("name", GOALS)
@pytest.mark.benchmark(group="guide planes")
def test_guides(benchmark, sources: dict[str, list[Record]], name: str, kind: str) -> None:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    guides = source_of(name, sources[name], kind)
    if name != "drawn":
        rows = list(range(BATCH))
        files = source_of("files", sources["files"], kind)
        assert np.array_equal(guides(rows, SIZES), files(rows, SIZES))

    def load(rows: list[int]) -> object:
        return guides(rows, SIZES)

    rounds = []
    for _ in range(5):  # turn and turn about: both meet the same neighbours
        baseline = pictures_a_second(lambda rows: published(sources["files"], kind, rows), batches=1)
        rounds.append((pictures_a_second(load), baseline))
    benchmark.pedantic(pictures_a_second, args=(load,), rounds=3)
    cv2.setNumThreads(threads)

    ours, baseline = (statistics.median(side) for side in zip(*rounds, strict=True))
    faster = statistics.median(own / other for own, other in rounds)
    benchmark.extra_info.update(
        pictures_a_second=round(ours),
        baseline_pictures_a_second=round(baseline),
        times_faster=round(faster, 1),
    )
    assert faster >= GOALS[name]


def test_all_segments_are_drawn(sources: dict[str, list[Record]]) -> None:
    planes = source_of("drawn", sources["drawn"], "segment")(list(range(BATCH)), SIZES)
    assert planes.any((2, 3)).mean() > 0.9, "or drawing would be too easy"


@pytest.mark.parametrize("name", ["lzf", "gzip"])
def test_a_compressed_pack_is_a_third_of_the_files(sources: dict[str, list[Record]], name: str) -> None:
    def disk(paths: Sequence[Path]) -> int:
        return sum(os.stat(path).st_blocks * 512 for path in paths)

    folder = sources["files"][0].path.parents[1]
    files = [*folder.glob("heatmap_train/*/*.jpg"), *folder.glob("segment_train/*/*.jpg")]
    assert len(files) == 49 * BATCH * BATCHES
    assert disk([folder / name / "guides_train.h5"]) * 3 <= disk(files)
