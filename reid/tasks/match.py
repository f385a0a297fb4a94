"""task=match: are two pictures of one identity?"""

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from omegaconf import DictConfig, OmegaConf

from reid.contracts import Distance, Features
from reid.evaluation import is_of_embeddings
from reid.inference import Embedder
from reid.modules import ReIDModule
from reid.tasks.report import write_json
from reid.tasks.sources import device_of, one_source, outline, was_given


def match(config: DictConfig) -> None:
    """Compare ``task.images`` by ``checkpoint`` or ``model_file``; leave match.json.

    Raises:
        FileNotFoundError: no such picture or network.
        ValueError: not two pictures, not one network, a threshold that is none, or a network that
            compares by local features.
    """
    path = one_source(config)
    images, given = check_options(config)
    device = "auto" if path.suffix == ".om" else device_of(config)
    kind: Literal["auto", "torch"] = "auto" if config.checkpoint is None else "torch"  # ONNX starts later
    embedder = Embedder(path, device, runtime=kind, progress=False, precision="32")
    known = embedder.card.description.get("threshold")
    name, distance, normalize = chosen_distance(config, embedder, known)
    found = torch.from_numpy(embedder(images))
    # Of one picture twice, rounding can leave less than 0
    value = max(0.0, float(distance(Features.of(found[:1]), Features.of(found[1:]))))
    if given is not None:
        threshold: dict[str, Any] | None = {"value": given, "source": "task.threshold"}
    elif known is not None and (known["distance"], known["normalize"]) == (name, normalize):
        threshold = {**known, "source": str(path)}
    else:
        threshold = None
    same = None if threshold is None else value <= threshold["value"]
    folder = Path(config.paths.output)
    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    result = {
        "images": images,
        "source": str(path),
        "distance": name,
        "normalize": normalize,
        "value": value,
        "threshold": threshold,
        "same": same,
    }
    write_json(result, folder / "match.json")
    sys.stdout.write(f"{sentence(name, value, threshold, same)}\nresults in {folder}\n")


def check_options(config: DictConfig) -> tuple[list[str], float | None]:
    """The two pictures and the threshold that was given.

    Raises:
        ValueError: as `match`.
    """
    images = config.task.images
    if not OmegaConf.is_list(images) or len(images) != 2:
        raise ValueError(f"task.images={images}: name two pictures, as task.images=[a.jpg,b.jpg]")
    threshold = config.task.threshold
    number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if threshold is not None and not (number and math.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"task.threshold={threshold!r}: use a distance, a number of 0 or more, as 0.8")
    for image in images:
        if not Path(image).is_file():
            raise FileNotFoundError(f"task.images: there is no picture at {image}")
    return [str(image) for image in images], None if threshold is None else float(threshold)


def chosen_distance(
    config: DictConfig, embedder: Embedder, known: Mapping[str, Any] | None
) -> tuple[str, Distance, bool]:
    """The network's own distance unless the command line names one; its name, and whether it normalises.

    Raises:
        ValueError: one that the network does not have, or one of local features.
    """
    name = config.evaluation.distance if was_given("evaluation.distance") else embedder.distance
    told = known is not None and not was_given("evaluation.normalize")
    normalize = bool(known["normalize"] if told and known else config.evaluation.normalize)
    module = outline(dict(embedder.card.description["model"]))
    assert isinstance(module, ReIDModule), "the embedder refuses networks without features"
    distances = module.distances(normalize=normalize)
    usable = {key: each for key, each in distances.items() if is_of_embeddings(each)}
    if name in usable:
        return name, usable[name], normalize
    words = ", ".join(usable)
    if name in distances:
        raise ValueError(
            f"{embedder.path} is compared by {name}, which looks at local features; task=match compares whole"
            f" pictures: add evaluation.distance=global (or one of {words})"
        )
    raise ValueError(f"evaluation.distance={name}: this model is compared by {words}")


def sentence(name: str, value: float, threshold: Mapping[str, Any] | None, same: bool | None) -> str:
    """What is printed.

    >>> print(sentence("cosine", 0.31, {"value": 0.4, "source": "task.threshold"}, True))
    same: cosine distance 0.31, threshold 0.4 (task.threshold)
    """
    distance = f"{name} distance {value:.6g}"
    if threshold is None:
        return (
            f"{distance}; same or different is not said, as no threshold of this distance is known: a"
            " training leaves one at its end in checkpoints/best.ckpt, which task=export hands on; for other"
            " files task=evaluate leaves one as match_threshold in metrics.json: give task.threshold=NUMBER"
        )
    source = threshold["source"]
    if "benchmark" in threshold:
        rate = 100 * threshold["false_positive_rate"]
        source = f"as near are {rate:.2g} % of the pairs of two identities of {threshold['benchmark']}"
    return f"{'same' if same else 'different'}: {distance}, threshold {threshold['value']:.6g} ({source})"
