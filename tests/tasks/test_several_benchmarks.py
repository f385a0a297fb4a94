"""Train on one benchmark or several, test on others; the user's own pictures; all through run.py."""

from pathlib import Path

import pytest

from reid.checkpoint import read_checkpoint

SHORT = [
    "data.image_size=[64,32]",
    "data.batch_size=16",
    "data.evaluation_batch_size=64",
    "trainer.max_epochs=1",
    "trainer.precision=32-true",
    "device.reuse_memory=false",
]
FEW = "train_identities:8,test_identities:6,passes:3,shots:2,distractors:4,junk:3"
OTHER = f"{{pedestrians:{{name:other,drawing:{{seed:1,{FEW}}}}}}}"


@pytest.fixture(scope="module")
def drawn(data: Path, trained) -> Path:
    """A folder in Market1501's layout."""
    return next(data.glob("pedestrians-*"))


def test_the_final_network_is_evaluated_on_others(program) -> None:
    outcome = program.inside("trainer.max_epochs=1", f"evaluate_on=[{OTHER}]")
    assert outcome.status == 0, outcome.err
    figures = outcome.metrics()
    other = figures["evaluate_on"]["other"]
    assert {"mAP", "rank1", "queries", "gallery", "cosine"} <= other.keys()
    assert other["mAP"] != figures["mAP"]
    assert "other, euclidean" in outcome.out
    assert (outcome.folder / "plots" / "other" / "ranked_lists.png").is_file()
    assert (outcome.folder / "plots" / "ranked_lists.png").is_file()
    assert "val/mAP" in outcome.table()[0]

    checkpoint = f"checkpoint={outcome.folder}/checkpoints/best.ckpt"
    again = program.inside("task=evaluate", checkpoint, f"evaluate_on=[{OTHER}]")
    assert again.status == 0, again.err
    assert again.metrics()["evaluate_on"]["other"] == other


def test_a_union_is_one_benchmark_and_each_of_its_members(program) -> None:
    members = f"{{pedestrians:{{drawing:{{{FEW}}}}}}},{OTHER}"
    outcome = program.inside(
        "data=union", f"data.of=[{members}]", f"evaluate_on=[{OTHER}]", *SHORT, small=False
    )
    assert outcome.status == 0, outcome.err
    both, one = outcome.metrics(), outcome.metrics()["evaluate_on"]["other"]
    assert both["queries"] == 2 * one["queries"]
    assert both["gallery"] == 2 * one["gallery"]
    checkpoint = read_checkpoint(outcome.folder / "checkpoints" / "best.ckpt")
    assert checkpoint["reid"]["model"]["network"]["num_identities"] == 16
    assert len(checkpoint["reid"]["identities"]) == 16


def test_training_on_all_grows_the_classifier(program) -> None:
    outcome = program.inside("data.combine_all=true", "trainer.max_epochs=1")
    assert outcome.status == 0, outcome.err
    section = read_checkpoint(outcome.folder / "checkpoints" / "best.ckpt")["reid"]
    assert section["model"]["network"]["num_identities"] == 8 + 6


def test_own_pictures_from_a_table(program, drawn: Path, tmp_path: Path) -> None:
    lines = ["image,identity,camera,split"]
    folders = {"bounding_box_train": "train", "query": "query", "bounding_box_test": "gallery"}
    for folder, split in folders.items():
        for image in sorted((drawn / folder).glob("*.jpg")):
            identity, camera, *_ = image.name.split("_")
            lines.append(f"{image},{identity},{camera},{split}")
    (tmp_path / "images.csv").write_text("\n".join(lines))
    outcome = program.inside(
        "data=folder", f"data.path={tmp_path}", "data.table=images.csv", "data.name=shop", *SHORT, small=False
    )
    assert outcome.status == 0, outcome.err
    assert "shop, euclidean" in outcome.out
    checkpoint = f"checkpoint={outcome.folder}/checkpoints/best.ckpt"
    as_published = ["data=market1501", "data.verify=false", f"paths.data={drawn}"]
    again = program.inside("task=evaluate", checkpoint, *as_published, *SHORT, small=False)
    assert again.status == 0, again.err
    assert again.metrics()["mAP"] == outcome.metrics()["mAP"], "one set of images, read in two ways"
    for key in ("rank1", "queries", "gallery"):
        assert again.metrics()[key] == outcome.metrics()[key]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate_on=[duk]"], "Could not find 'data/duk'"),
        (["evaluate_on=[pedestrians]"], "pedestrians is evaluated already"),
        (["evaluate_on=[union]"], "union is not one benchmark"),
        (["evaluate_on=[{duke:{boxes:labeled}}]"], "boxes"),
        (["evaluate_on=[duke]"], "duke was not found"),
        (["evaluate_on=[{duke:{root:elsewhere}}]"], "elsewhere does not exist"),
        (["data=union", "data.of=[duke]"], "data.of names 1 benchmarks"),
        (["data=folder", "data.path=nowhere"], "data.path=DIR"),
        (["evaluation.rerank=true", "evaluation.reranking.k1=0"], "k1=0"),
        (["evaluation.single_shot=-1"], "evaluation.single_shot=-1: use a whole number"),
        (["evaluation.verification=1e-3"], "evaluation.verification=0.001: use a list of rates"),
        (["data.combine_all=yes please"], "data.combine_all='yes please': use true or false"),
    ],
)
def test_mistakes_come_out_before_the_first_step(program, words: list[str], message: str) -> None:
    outcome = program.inside(*words, *SHORT, small=False)
    assert outcome.status == 1
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not (outcome.folder / "metrics.csv").exists()
