"""Dashboards: what a run sends, without a network."""

import struct
import time
from pathlib import Path

import pytest
from wandb.proto.wandb_internal_pb2 import Record


def records(folder: Path) -> dict[str, list]:
    """What an offline run would send, by kind; its writer may be a little behind the program."""
    (path,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    deadline = time.monotonic() + 60
    while "exit" not in (found := read(path)):
        assert time.monotonic() < deadline, f"{path} never ended, it holds {found.keys()}"
        time.sleep(0.2)
    return found


def read(path: Path) -> dict[str, list]:
    """The records of a .wandb file."""
    content, place, message, found = (
        path.read_bytes(),
        7,
        b"",
        {},
    )  # LevelDB's log, after a header of seven bytes
    while place + 7 <= len(content):
        left = -place % 32768 or 32768  # of this block
        if left < 7:
            place += left
            continue
        length, part = struct.unpack("<HB", content[place + 4 : place + 7])  # after a checksum
        message += content[place + 7 : place + 7 + length]
        place += 7 + length
        if part in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(message)
            message = b""
            kind = record.WhichOneof("record_type")
            found.setdefault(kind, []).append(getattr(record, kind))
    return found


def test_wandb_writes_an_offline_run_with_figures_and_pictures(
    program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_RUN_GROUP", "a-sweep")
    outcome = program.inside("logger=wandb", "trainer.max_epochs=1")
    assert outcome.status == 0, outcome.err
    sent = records(outcome.folder)
    (run,) = sent["run"][:1]
    assert (run.run_group, run.job_type, sorted(run.tags)) == (
        "a-sweep",
        "train",
        ["osnet_x0_25", "pedestrians"],
    )
    keys = {"/".join(item.nested_key) or item.key for row in sent["history"] for item in row.item}
    assert {"val/mAP", "train/loss", "final/mAP"} <= keys
    assert sent["exit"][0].exit_code == 0
    runs = list((outcome.folder / "wandb").glob("offline-run-*"))
    assert len(runs) == 1
    assert list(runs[0].glob("run-*.wandb"))
    media = {path.name.split("_0_")[0].split("_1_")[0] for path in runs[0].rglob("*.png")}
    assert any("ranked_lists" in name for name in media), media


def test_a_run_that_fails_is_a_failed_one_in_wandb(program) -> None:
    outcome = program.inside("logger=wandb", "trainer.max_epochs=2", "optimizer.lr=1e9")
    assert outcome.status == 1
    assert records(outcome.folder)["exit"][0].exit_code == 1


def test_tensorboard_writes_events(program) -> None:
    pytest.importorskip("tensorboard")
    outcome = program.inside("logger=tensorboard", "trainer.max_epochs=1")
    assert outcome.status == 0, outcome.err
    assert list((outcome.folder / "tensorboard").rglob("events.out.tfevents.*"))
