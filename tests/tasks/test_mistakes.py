"""What a hurried user gets wrong ends with one line that names it, and status 1."""

import re
import shutil
from pathlib import Path

import pytest
import torch

from reid.checkpoint import read_checkpoint

SHORT = [
    "data.image_size=[64,32]",
    "data.batch_size=16",
    "trainer.max_epochs=1",
    "device.reuse_memory=false",
]


def line(outcome) -> str:
    """The one line of a failed run."""
    assert outcome.status in (1, 2), outcome.err
    assert "Traceback" not in outcome.err + outcome.out
    errors = [text for text in outcome.err.splitlines() if text.startswith("Error: ")]
    assert len(errors) == 1, outcome.err
    return errors[0]


def test_a_missing_root_is_named(program, tmp_path: Path) -> None:
    said = line(program.inside("data=market1501", f"paths.data={tmp_path}/nowhere", small=False))
    assert "nowhere" in said
    assert "paths.data=" in said


def test_a_half_copied_benchmark_is_refused_and_a_subset_is_not(
    program, data: Path, trained, tmp_path: Path
) -> None:
    drawn = next(data.glob("pedestrians-*"))
    shutil.copytree(drawn, tmp_path / "market1501")
    half = program.inside("data=market1501", f"paths.data={tmp_path}", "model=osnet_x0_25", small=False)
    assert "12,936" in line(half).replace("12936", "12,936")
    assert "data.verify=false" in line(half)
    subset = program.inside(
        "data=market1501",
        f"paths.data={tmp_path}",
        "data.verify=false",
        *SHORT,
        small=False,
    )
    assert subset.status == 0, subset.err


def test_a_checkpoint_of_another_model_is_refused(program, trained) -> None:
    last = trained.folder / "checkpoints" / "last.ckpt"
    said = line(program.inside("model=osnet_ibn", f"resume={last}"))
    assert "another model" in said
    assert "osnet_x0_25" in said
    said = line(program.inside("task=evaluate", "model=osnet_ibn", f"checkpoint={last}"))
    assert "osnet_x0_25, not osnet_ibn" in said


def test_a_file_that_is_no_checkpoint_is_refused(program, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no weights here")
    assert "notes.txt" in line(program.inside("task=evaluate", f"checkpoint={tmp_path}/notes.txt"))


def test_weights_of_which_nothing_matches_are_refused(program, tmp_path: Path) -> None:
    torch.save({"somebody.else": torch.ones(3)}, tmp_path / "other.pth")
    said = line(program.inside(f"model.weights={tmp_path}/other.pth"))
    assert "other.pth" in said


def test_a_loss_that_is_no_number_stops_and_keeps_the_checkpoint(program, trained) -> None:
    # three good epochs, then a rate that no network survives
    outcome = program.inside(
        "trainer.max_epochs=4",
        "optimizer.lr=3e-3",
        "schedule=multi_step",
        "schedule.milestones=[3]",
        "schedule.gamma=1e30",
        "schedule.warmup_epochs=0",
        "schedule.per=epoch",
    )
    said = line(outcome)
    assert re.search(r"not a number at step 1\d \(epoch 4\), learning rate 3e\+27", said), said
    last = read_checkpoint(outcome.folder / "checkpoints" / "last.ckpt")
    assert last["epoch"] == 2, "the epoch before"
    assert all(value.isfinite().all() for value in last["state_dict"].values())


def test_a_full_disk_is_said(program, trained) -> None:
    said = line(program(largest_file=1_000_000))
    assert "cannot write checkpoint" in said
    assert "last.ckpt" in said
    assert "hydra.run.dir" in said


def test_a_bad_image_is_named_or_skipped(program, data: Path, trained, tmp_path: Path) -> None:
    shutil.copytree(next(data.glob("pedestrians-*")), tmp_path / "market1501")
    options = ["data=market1501", f"paths.data={tmp_path}", "data.verify=false", *SHORT]
    torn = sorted((tmp_path / "market1501" / "query").iterdir())[0]
    torn.write_bytes(torn.read_bytes()[:300])
    empty = sorted((tmp_path / "market1501" / "bounding_box_train").iterdir())[0]
    empty.write_bytes(b"")
    said = line(program.inside(*options, small=False))
    assert empty.name in said or torn.name in said
    assert "data.on_bad_image=skip" in said
    skipped = program.inside(*options, "data.on_bad_image=skip", small=False)
    assert skipped.status == 0, skipped.err
    assert empty.name in skipped.err
    assert torn.name in skipped.err
    assert skipped.metrics()["queries"] == trained.metrics()["queries"] - 1


def test_a_benchmark_without_images_is_said(program, tmp_path: Path) -> None:
    for folder in ("bounding_box_train", "query", "bounding_box_test"):
        (tmp_path / "market1501" / folder).mkdir(parents=True)
    said = line(program.inside("data=market1501", f"paths.data={tmp_path}", small=False))
    assert "bounding_box_train" in said


def test_more_identities_a_batch_than_there_are(program) -> None:
    said = line(program.inside("data.sampler=identity", "data.batch_size=64", "data.images_per_identity=4"))
    assert "16" in said
    assert "8" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_no_gpu_is_said(program) -> None:
    assert "trainer=cpu" in line(program.inside("trainer=gpu"))


def test_hydra_suggests_options(program) -> None:
    outcome = program("model=osnt")
    assert outcome.status == 1
    assert "osnet_x0_25" in outcome.err
    outcome = program("trainer.max_epoch=3")
    assert outcome.status == 1
    assert "max_epoch" in outcome.err


def test_full_error_shows_the_traceback(program, tmp_path: Path) -> None:
    outcome = program("task=evaluate", HYDRA_FULL_ERROR="1")
    assert outcome.status == 1
    assert "Traceback" in outcome.err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("data.batch_size=0", "data.batch_size=0: use a whole number of 1 or more"),
        ("data.on_bad_image=ignore", "data.on_bad_image='ignore': use error or skip"),
        ("optimizer.lr=fast", "the optimizer refuses its options"),
        ("evaluation.distance=manhattan", "this model is compared by"),
        ("model.loss_weights={identity: 0}", "give at least one of ['identity', 'triplet'] a weight"),
        ("trainer.limit_val_batches=0.5", "part of a gallery ranks nothing"),
        ("trainer.fast_dev_run=true", "use trainer.max_epochs=1 trainer.limit_train_batches=3"),
        ("trainer.overfit_batches=2", "use trainer.max_epochs=1 trainer.limit_train_batches=3"),
        ("trainer.profiler=fast", "use simple, advanced, pytorch, npu or null"),
        ("trainer.scale_lr=square", "use none, or linear"),
    ],
)
def test_an_option_out_of_range_is_named(program, word: str, said: str) -> None:
    assert said in line(program.inside(word))
