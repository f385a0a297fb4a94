"""task=postprocess: the figures of outputs that an Ascend box computed from the files of task=preprocess."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from torch.utils.data import Dataset

from reid.checkpoint import check_targets
from reid.contracts import Batch
from reid.datamodules import ReIDDataModule
from reid.deploy.offline import SIDES, Manifest, Outputs, RecordedNetwork, file_names
from reid.loading import ImageSet
from reid.loading.sampler import Draw
from reid.tasks.build import build_datamodule, build_scorer, build_trainer
from reid.tasks.evaluate import Subject, evaluate_subject, leave
from reid.tasks.sources import follow, outline


class Unseen(Dataset[Batch]):
    """An evaluation list whose images are not opened: ``image`` is their rows."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, draw: Draw) -> Batch:
        labels = self.images.labels(draw.rows)
        return {**labels, "image": labels["index"]}  # type: ignore[typeddict-item]


def postprocess(config: DictConfig) -> float:
    """Evaluate the outputs in ``task.query`` and ``task.gallery`` of the inputs in ``task.inputs``.

    Figures, pictures and metrics.json are those of task=evaluate.

    Returns:
        mAP, a fraction.

    Raises:
        FileNotFoundError: no inputs, or not all outputs.
        ValueError: a folder left out, another benchmark, or outputs of another size.
    """
    options = config.task
    if missing := [key for key in ("inputs", *SIDES) if options[key] is None]:
        raise ValueError(
            f"task=postprocess needs {', '.join(f'task.{key}=DIR' for key in missing)}: inputs is the folder"
            " of task=preprocess, query and gallery are those of the tool's outputs"
        )
    if config.evaluate_on:
        raise ValueError("evaluate_on: task=postprocess has outputs of one benchmark, leave it out")
    manifest = Manifest.read(Path(options.inputs))
    card = manifest.card
    check_targets(card.description["model"])
    follow(config, card.description, {})
    config.data.cache = "none"
    datamodule = build_datamodule(config)
    assert isinstance(datamodule, ReIDDataModule)
    datamodule.prepare_data()
    datamodule.speak(card.attributes)
    check_lists(manifest, datamodule)
    module = outline(dict(card.description["model"]))
    sides = [Outputs(Path(options[side]), card, manifest.names[side]) for side in SIDES]
    module.network = RecordedNetwork(card, sides)
    datamodule.__dict__["evaluation_images"] = Unseen(datamodule.evaluation_images)
    subject = Subject(module, card.attributes, prepare=lambda batch: batch)
    scorer = build_scorer(config)
    trainer = build_trainer(config, [scorer])
    results = evaluate_subject(subject, [datamodule], trainer, scorer)
    if trainer.is_global_zero:
        folder = Path(config.paths.output)
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
        leave(config, results, trainer, extra={f"{side}_outputs": str(options[side]) for side in SIDES})
    return scorer.score(results[0][1])


def check_lists(manifest: Manifest, datamodule: ReIDDataModule) -> None:
    """Raise ``ValueError`` unless the benchmark's lists are those that the inputs were written of."""
    assert datamodule.benchmark is not None
    for side in SIDES:
        names = file_names([record.path for record in getattr(datamodule.benchmark, side)])
        if names != list(manifest.names[side]):
            raise ValueError(
                f"the {side} of {datamodule.name} ({len(names):,} images) is not the one that task.inputs was"
                f" written of ({manifest.data}, {len(manifest.names[side]):,} images): give the data= and"
                " paths.data= of task=preprocess"
            )
