"""task=preprocess: query and gallery as files of what a model takes, for a box that has no PyTorch."""

import sys
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from reid.checkpoint import read_checkpoint
from reid.contracts import Batch
from reid.datamodules import ReIDDataModule
from reid.deploy import Card
from reid.deploy.files import describe_file
from reid.deploy.offline import SIDES, Manifest, file_names, input_folders, write_info, write_inputs
from reid.loading import EvaluationBatchSampler
from reid.tasks.build import build_datamodule, check_kind, trained_module
from reid.tasks.sources import GUIDES, card_of, follow, one_source, outline


def preprocess(config: DictConfig) -> None:
    """Write the inputs of ``model_file``, or of ``checkpoint`` exported as it is, into the run's folder.

    ``query/<name>.bin`` and ``gallery/<name>.bin``, beside them folders of further inputs, ``query.info`` ...
    for the older benchmark tool, and preprocess.json for task=postprocess.

    Raises:
        ValueError: no model, no benchmark of re-identification, or a folder with files of another run.
    """
    one_source(config)
    card = card_to_feed(config)
    follow(config, card.description, {name: getattr(card, name) for name in GUIDES})
    datamodule = build_datamodule(config)
    check_kind(type(outline(dict(card.description["model"]))), datamodule)
    if not isinstance(datamodule, ReIDDataModule):
        raise ValueError(
            f"task=preprocess writes query and gallery, and {datamodule.name} has neither: evaluate files of"
            " model=pose with task=evaluate model_file=PATH"
        )
    datamodule.prepare_data()
    datamodule.setup()
    assert datamodule.benchmark is not None
    records = {"query": datamodule.benchmark.query, "gallery": datamodule.benchmark.gallery}
    names = {side: file_names([record.path for record in records[side]]) for side in SIDES}
    folder = Path(config.paths.output)
    for side in SIDES:
        for place in input_folders(card, side):
            if (folder / place).exists():
                raise ValueError(
                    f"{folder / place} is there already: choose another folder by hydra.run.dir=DIR"
                )
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    rows = [(side, name) for side in SIDES for name in names[side]]
    with tqdm(total=len(rows), desc="writing inputs", unit="image", disable=None, leave=False) as bar:
        for batch in batches(datamodule):
            prepared = card.prepare(batch)
            own = [rows[row] for row in prepared["index"].tolist()]
            for side in SIDES:
                places = [k for k, (which, _) in enumerate(own) if which == side]
                arrays = [each[places] for each in inputs_of(card, prepared)]
                write_inputs(folder, card, side, [own[k][1] for k in places], arrays)
            bar.update(len(own))
    for side in SIDES:
        write_info(folder, card, side, names[side])
    Manifest(card, datamodule.name, names).write(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*.bin"))
    sys.stdout.write(
        f"{len(names['query']):,} query and {len(names['gallery']):,} gallery images, {size / 1e6:,.1f} MB,"
        f" in {folder}\nrun the model on query/ and gallery/ (docs/deployment.md), then: python run.py"
        f" task=postprocess task.inputs={folder} task.query=DIR task.gallery=DIR data={config.data.name}\n"
    )


def card_to_feed(config: DictConfig) -> Card:
    """The card of the model that is to be run."""
    if config.model_file is not None:
        return card_of(config, Path(config.model_file))
    checkpoint = read_checkpoint(Path(config.checkpoint))
    network = trained_module(checkpoint, config).network
    return describe_file(checkpoint["reid"], network, source=str(config.checkpoint))


def batches(datamodule: ReIDDataModule) -> Iterator[Batch]:
    """Query and gallery as loaders give them, in the list's order."""
    images = datamodule.evaluation_images
    for draw in EvaluationBatchSampler(len(images), datamodule.evaluation_batch_size):
        yield images.__getitems__(draw)


def inputs_of(card: Card, batch: Batch) -> list[Tensor]:
    """What a prepared batch has for each input."""
    return [batch["image"], *([batch["keypoints"].flatten(1)] if card.keypoints else [])]
