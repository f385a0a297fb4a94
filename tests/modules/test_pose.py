"""PoseEstNet's module: what it is taught leads back to the marked keypoints, mirrored or not."""

from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from reid.callbacks import KeypointMetrics
from reid.datamodules import VehiclesPoseDataModule
from reid.datasets.keypoints import MIRRORED_KEYPOINTS
from reid.evaluation.pck import pck, pck_legacy
from reid.loading.pose import Augmentation
from reid.loading.sampler import Draw
from reid.loading.targets import draw_targets
from reid.losses import KeypointLoss
from reid.modules import PoseModule

DRAWING = {"seed": 0, "train_identities": 6, "test_identities": 1, "passes": 2, "shots": 3}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> VehiclesPoseDataModule:
    datamodule = VehiclesPoseDataModule(
        tmp_path_factory.mktemp("data"), name="vehicles_pose", drawing=DRAWING, image_size=(128, 128)
    )
    datamodule.prepare_data()
    datamodule.setup()
    return datamodule


class Oracle(nn.Module):
    """Draws what is marked: images are known by heart, as they are and mirrored."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[tuple[Tensor, Tensor]] = []
        self.asked = 0

    def learn(self, image: Tensor, points: Tensor) -> None:
        height, width = image.shape[2:]
        points = torch.cat([points[..., :2], torch.ones_like(points[..., :1])], 2)
        self.known += zip(
            image, draw_targets(points, height=height // 4, width=width // 4).heatmaps, strict=True
        )
        points = points[:, list(MIRRORED_KEYPOINTS)]
        points[..., 0] = width - 1 - points[..., 0]
        drawn = draw_targets(points, height=height // 4, width=width // 4).heatmaps
        self.known += zip(image.flip(3), drawn, strict=True)

    def forward(self, image: Tensor) -> Tensor:
        self.asked += len(image)
        return torch.stack(
            [next(drawn for own, drawn in self.known if torch.equal(own, each)) for each in image]
        )


def taught(data: VehiclesPoseDataModule, **settings: object) -> PoseModule:
    network = Oracle()
    images = data.evaluation_images
    batch = data.with_targets(images.__getitems__(Draw(list(range(len(images))), 0)))
    network.learn(batch["image"], batch["points"])
    return PoseModule(network, {"heatmaps": KeypointLoss()}, loss_weights={"heatmaps": 1.0}, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("augmented", [False, True])
def test_targets_lead_back_to_the_marks(data: VehiclesPoseDataModule, augmented: bool) -> None:
    """Half a pixel of a heat map is two of the image: so far may each coordinate be off."""
    images = data.images(data.evaluation_records, "evaluate")
    images.augmentation = Augmentation(flip=0.0) if augmented else None
    batch = data.with_targets(images.__getitems__(Draw([0, 1, 2], 5)))
    module = taught(data)
    found = module.keypoints(batch["target"], batch["geometry"])
    true = torch.tensor(np.stack([record.keypoints for record in data.evaluation_records[:3]]))
    scale = torch.linalg.det(batch["geometry"][:, :, :2]).sqrt()  # pixels of the picture a pixel of the image
    known = (batch["weight"] > 0) & ((batch["points"][..., :2] > 1) & (batch["points"][..., :2] < 125)).all(2)
    off = (found - true)[..., :2].norm(dim=2) / scale[:, None]
    assert known.sum() > 50
    assert off[known].max() < 4 * 0.5 * 2**0.5 + 0.05
    assert off[known].mean() < 2
    assert torch.equal(found[..., 2][known], torch.ones(int(known.sum())))


@pytest.mark.parametrize("flip_test", [False, True])
def test_an_evaluation_scores_every_picture(data: VehiclesPoseDataModule, flip_test: bool) -> None:
    module, scorer = taught(data, flip_test=flip_test), KeypointMetrics()
    data.evaluation_batch_size = 4  # six pictures in two batches
    trainer = pl.Trainer(
        accelerator="cpu", callbacks=[scorer], logger=False, enable_progress_bar=False, barebones=False
    )
    (logged,) = trainer.validate(module, data, verbose=False)
    assert scorer.result is not None
    true = np.array([record.keypoints for record in data.evaluation_records], np.float64)
    found = scorer.result.keypoints
    assert scorer.result.metrics == {**pck(found, true), **pck_legacy(found, true)}
    assert {f"val/{name}": value for name, value in scorer.result.metrics.items()} == pytest.approx(logged)
    assert scorer.result.metrics["pck"] > 0.98
    assert scorer.score(scorer.result) == scorer.result.metrics["pck"]
    assert scorer.result.errors.shape == (6,)
    assert np.nanmax(scorer.result.errors) < 0.3
    assert module.network.asked == 6 * (1 + flip_test)


def test_mirrored_maps_are_a_pixel_apart(data: VehiclesPoseDataModule) -> None:
    """Without the published shift keypoints would be 3 / 8 of a heat map's pixel farther left on average."""
    batch = data.with_targets(data.evaluation_images.__getitems__(Draw([0, 1, 2, 3], 0)))
    places = {}
    for shift in (True, False):
        module = taught(data, flip_shift=shift, reading="soft")
        found = module.keypoints(module.heatmaps(batch["image"]), batch["geometry"])
        plain = module.keypoints(module(batch["image"]), batch["geometry"])
        known = batch["weight"] > 0
        scale = 4 * torch.linalg.det(batch["geometry"][:, :, :2]).sqrt()[:, None]
        places[shift] = float(((found - plain)[..., 0] / scale)[known].mean())
    assert places[True] == pytest.approx(0.125, abs=0.08)
    assert places[False] == pytest.approx(0.125 - 0.5, abs=0.08)


def test_mistakes(data: VehiclesPoseDataModule, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model\.reading='best'"):
        taught(data, reading="best")
    for words, message in (
        ({"image_size": (100, 96)}, "multiples of 32"),
        ({"sigma": 0}, r"data\.sigma=0"),
        ({"cache": "disk"}, r"data\.cache='disk': use none or ram"),
        ({"augmentation": {"flip": 2}}, r"data\.augmentation\.flip=2"),
        ({"batch_size": 0}, r"data\.batch_size=0"),
    ):
        with pytest.raises(ValueError, match=message):
            VehiclesPoseDataModule(tmp_path, name="vehicles_pose", drawing=DRAWING, **words)  # type: ignore[arg-type]


def test_a_half_copied_benchmark_is_refused(data: VehiclesPoseDataModule) -> None:
    counts = {"train": {"images": 31, "missing": 12}, "test": {"images": 6}}
    wrong = VehiclesPoseDataModule(data.root, name="vehicles_pose", drawing=DRAWING, counts=counts)
    with pytest.raises(ValueError, match=r"train has 30 images, published are 31: 1 are missing\. Copy"):
        wrong.setup()
    VehiclesPoseDataModule(
        data.root, name="vehicles_pose", drawing=DRAWING, counts=counts, verify=False
    ).setup()
