"""Guides that a network finds: frames beside known places, packs and files, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor, nn

from reid.checkpoint import read_checkpoint, write_checkpoint
from reid.datamodules import ReIDDataModule
from reid.datamodules.predicted import PredictedGuides
from reid.datasets.records import Record
from reid.loading.guides import PackedGuides
from reid.loading.pose import Change, crop_matrix
from reid.loading.sampler import Draw
from reid.loading.targets import draw_targets
from reid.losses import KeypointLoss
from reid.modules import PoseModule
from reid.tasks.build import build_datamodule
from tests.tasks.conftest import ROOT, Outcome, Program

DRAWING = "data.drawing={train_identities: 8, test_identities: 2, passes: 2, shots: 2}"
POSE = [
    "model=pose",
    "data=vehicles_pose",
    "model.width=4",
    "model.modules=[1,1,1]",
    DRAWING,
    "data.image_size=[64,64]",
    "data.batch_size=8",
    "trainer.max_epochs=1",
    "trainer.precision=32-true",
    "device.reuse_memory=false",
    "check=none",
]

GUIDED = ["model=multitask", "data=vehicles", DRAWING]
GUIDED += ["data.heatmap=true", "data.segment=true", "data.keypoints=true"]


class Known(nn.Module):
    """Heat maps of the pictures that it is given in turn."""

    def __init__(self, points: Tensor) -> None:
        super().__init__()
        self.points = points

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        return draw_targets(self.points[: len(image)], height=height // 4, width=width // 4).heatmaps


def posed(sizes: list[tuple[int, int]], places: np.ndarray, *, side: int) -> PoseModule:
    """A module that finds what lies at ``places`` (n, 36, 2) of pictures of these (width, height)."""
    points = np.ones((len(sizes), 36, 3), np.float32)
    for row, size in enumerate(sizes):
        there = crop_matrix(size, Change(), size=(side, side))
        points[row, :, :2] = places[row] @ there[:, :2].T + there[:, 2]
    module = PoseModule(
        Known(torch.from_numpy(points)), {"h": KeypointLoss()}, loss_weights={"h": 1.0}, flip_test=False
    )
    return module.eval()


@pytest.mark.parametrize("side", [256, 128])
def test_heatmaps_lie_where_the_picture_shows_them(side: int) -> None:
    sizes = [(200, 100), (80, 150), (120, 120)]
    random = np.random.default_rng(0)
    places = random.uniform(0.15, 0.85, (3, 36, 2)) * np.array(sizes)[:, None]
    found = PredictedGuides(
        [Record(Path(f"{row}.jpg"), row, 0) for row in range(3)],
        posed(sizes, places, side=side),
        size=(side, side),
        read=lambda record: np.zeros((sizes[record.identity][1], sizes[record.identity][0], 3), np.uint8),
    )
    planes = found([0, 1, 2])
    assert planes.shape == (3, 49, 64, 64)
    assert planes.dtype == np.uint8
    for row, (width, height) in enumerate(sizes):
        pixel = 4 * 1.25 * max(width, height) / side  # of the picture, a pixel of the network's maps
        for k in range(36):
            weight = planes[row, k] * (planes[row, k] > 0.8 * planes[row, k].max()).astype(float)
            lines, columns = np.indices((64, 64))
            x = (weight * (columns + 0.5)).sum() / weight.sum() / 64 * width - 0.5
            y = (weight * (lines + 0.5)).sum() / weight.sum() / 64 * height - 0.5
            assert abs(x - places[row, k, 0]) < 0.65 * pixel
            assert abs(y - places[row, k, 1]) < 0.65 * pixel
        assert found.keypoints[row][:, :2] == pytest.approx(places[row], abs=0.6 * pixel)


def test_published_frame_and_order() -> None:
    """Heat maps of the whole square as they are; x of a picture lies at 32 + (x - w / 2) 64 / (1.25 w)."""
    sizes = [(160, 100)]
    places = np.tile(np.array((20.0, 50.0)), (1, 36, 1))
    record = Record(Path("0.jpg"), 0, 0)
    found = PredictedGuides(
        [record],
        posed(sizes, places, side=256),
        size=(256, 256),
        segment=False,
        frame="square",
        read=lambda _: np.zeros((100, 160, 3), np.uint8),
    )
    planes = found([0])
    assert planes.shape == (1, 36, 64, 64)
    line, column = divmod(int(planes[0, 7].argmax()), 64)
    assert (column, line) == (round(32 + (20 - 80) * 64 / 200), 32)
    assert planes.max() == 255


@pytest.fixture(scope="module")
def checkpoint(program: Program) -> Path:
    outcome = program(*POSE, small=False)
    assert outcome.status == 0, outcome.err
    return outcome.folder / "checkpoints" / "best.ckpt"


def guided(program: Program, checkpoint: Path, *words: str) -> Outcome:
    return program.inside(
        "task=guides", f"checkpoint={checkpoint}", "data=vehicles", DRAWING, "check=none", *words, small=False
    )


def benchmark(data: Path) -> Path:
    return next(
        path for path in data.iterdir() if path.name.startswith("vehicles") and path.name.endswith("8-2-2-2")
    )


def test_packs_and_tables(program: Program, checkpoint: Path, data: Path) -> None:
    outcome = guided(program, checkpoint)
    assert outcome.status == 0, outcome.err
    folder = benchmark(data)
    for part, count in (("train", 32), ("query", 4), ("test", 8)):
        assert (folder / f"guides_{part}.h5").is_file()
        lines = (folder / f"pose_{part}.csv").read_text().splitlines()
        assert len(lines) == count
        assert {line.count(",") + 1 for line in lines} == {109}
        names = [line.partition(",")[0] for line in lines]
        assert names == (folder / f"name_{part}.txt").read_text().split()
    records = [Record(path, 0, 0) for path in sorted((folder / "image_query").glob("*.jpg"))]
    planes = PackedGuides(records, heatmap=True, segment=True, confidence=0)
    assert planes(range(4), np.full((4, 2), 100)).shape == (4, 49, 64, 64)


def test_files_in_the_published_layout(program: Program, checkpoint: Path, data: Path) -> None:
    outcome = guided(program, checkpoint, "task.format=files", "task.splits=[query]", "task.frame=square")
    assert outcome.status == 0, outcome.err
    folder = benchmark(data)
    stem = (folder / "name_query.txt").read_text().split()[0].removesuffix(".jpg")
    assert len(list((folder / "heatmap_query" / stem).glob("*.jpg"))) == 36
    assert len(list((folder / "segment_query" / stem).glob("*.jpg"))) == 13
    before = (folder / "pose_query.csv").read_text()
    (folder / "pose_query.csv").unlink()
    again = guided(program, checkpoint, "task.format=files", "task.splits=[query]")  # all files are there
    assert again.status == 0, again.err
    assert (folder / "pose_query.csv").read_text() == before


@pytest.fixture(scope="module")
def scattered(checkpoint: Path) -> Path:
    """The same, with another last layer, which finds keypoints all over a picture: its faces are seen."""
    whole = read_checkpoint(checkpoint)
    weight = whole["state_dict"]["network.final_layer.weight"]
    weight.copy_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    whole["state_dict"]["network.final_layer.bias"].fill_(0.5)
    path = checkpoint.with_name("scattered.ckpt")
    write_checkpoint(whole, path)
    return path


@pytest.fixture
def release(data: Path) -> Iterator[Path]:
    """The benchmark as VeRi's authors publish it, without keypoints."""
    folder = benchmark(data)
    kept = {part: (folder / f"label_{part}.csv").read_text() for part in ("train", "query", "test")}
    for part in kept:
        (folder / f"label_{part}.csv").unlink()
    yield folder
    for part, text in kept.items():
        (folder / f"label_{part}.csv").write_text(text)


def batch_of(data: Path, stage: str, *words: str) -> dict[str, Any]:
    """All training images, as a stage shows them."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(
            "config",
            ["paths.output=outputs/test", f"paths.data={data}", *GUIDED, *words],
        )
        datamodule = build_datamodule(config)
    datamodule.setup()
    assert isinstance(datamodule, ReIDDataModule)
    images = datamodule.images(datamodule.train_records, stage)
    return dict(images.__getitems__(Draw(list(range(len(images))), seed=3)))


def test_guides_found_on_the_fly_are_those_of_the_task(
    program: Program, scattered: Path, data: Path, release: Path
) -> None:
    outcome = guided(program, scattered, "task.labels=true", "task.compression=lzf")
    assert outcome.status == 0, outcome.err
    table = np.loadtxt(release / "label_train.csv", delimiter=",", usecols=range(4, 112), dtype=np.float32)
    gate = f"data.segment_confidence={np.quantile(table[:, 2::3], 0.1) + 5e-4:.4f}"  # between two decimals
    found = f"data.pose_checkpoint={scattered}"
    for stage in ("train", "evaluate"):  # in training some are mirrored, and moved
        kept = batch_of(data, stage, "data.guides=pack", gate)
        ours = batch_of(data, stage, "data.guides=pose", found, "data.labels=xml", gate)
        assert kept.keys() == ours.keys()
        assert 0.05 < kept["guides"][:, 36:].any((2, 3)).float().mean() < 0.9
        assert kept["guides"][:, :36].any()
        for name in ("image", "guides", "geometry", "keypoints"):
            assert torch.equal(kept[name], ours[name]), name
    short = [*GUIDED, gate, "data.image_size=[32,32]", "data.batch_size=8", "check=none"]
    short += ["trainer.max_epochs=1", "trainer.precision=32-true", "device.reuse_memory=false"]
    stored = program.inside(*short, "data.guides=pack", small=False)
    direct = program.inside(*short, "data.guides=pose", found, "data.labels=xml", small=False)
    assert (stored.status, direct.status) == (0, 0), stored.err + direct.err
    for key in ("train/loss", "val/mAP", "val/type_accuracy"):
        assert direct.table()[0][key] == stored.table()[0][key], key


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "data.guides=pose needs data.pose_checkpoint=PATH of a PoseEstNet"),
        (["data.pose_checkpoint=nowhere.ckpt"], "nowhere.ckpt"),
        (["data.pose_checkpoint={trained}"], "is of osnet_x0_25, which finds no keypoints"),
        (["data.pose_checkpoint={pose}", "data.heatmap_frame=square"], "heatmaps of data.guides=pose are in"),
        (["data.pose_checkpoint={pose}", "task=pack"], "task=guides those of a PoseEstNet"),
    ],
)
def test_mistakes_on_the_fly(
    program: Program, trained: Outcome, checkpoint: Path, words: list[str], message: str
) -> None:
    best = trained.folder / "checkpoints" / "best.ckpt"
    outcome = program.inside(
        *("model=multitask", "data=vehicles", DRAWING, "data.heatmap=true", "data.guides=pose"),
        *(word.format(trained=best, pose=checkpoint) for word in words),
        small=False,
    )
    assert outcome.status == 1
    assert message in outcome.err


def test_labels_for_a_release_without_pamtris(program: Program, checkpoint: Path, data: Path) -> None:
    refused = guided(program, checkpoint, "task.labels=true", "task.splits=[query]")
    assert refused.status == 1
    assert "would replace" in refused.err
    folder = benchmark(data)
    kept = {part: (folder / f"label_{part}.csv").read_text() for part in ("train", "query", "test")}
    try:
        for part in kept:
            (folder / f"label_{part}.csv").unlink()
        outcome = guided(program, checkpoint, "task.labels=true", "data.labels=xml")
        assert outcome.status == 0, outcome.err
        for part, text in kept.items():
            ours = [line.split(",") for line in (folder / f"label_{part}.csv").read_text().splitlines()]
            theirs = [line.split(",") for line in text.splitlines()]
            assert [line[:4] for line in ours] == [line[:4] for line in theirs]
            assert {len(line) for line in ours} == {112}
    finally:
        for part, text in kept.items():
            (folder / f"label_{part}.csv").write_text(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task.format=zip"], "task.format=zip: use pack or files"),
        (["task.frame=map"], "task.frame=map: use image or square"),
        (["task.splits=[val]"], "val is none of train, query, test"),
        (["data=vehicles_pose"], "task=guides is for data=veri and data=vehicles"),
        (["task=pack", "data=pedestrians"], "task=pack is for data=veri and data=vehicles, not for data=ped"),
        (["checkpoint=null"], "needs checkpoint=PATH"),
    ],
)
def test_mistakes(program: Program, checkpoint: Path, words: list[str], message: str) -> None:
    outcome = guided(program, checkpoint, *words)
    assert outcome.status == 1
    assert message in outcome.err
