"""Sweeps survive: a broken rank, a failed job, a killed sweep; one after the other or several at once."""

import csv
import os
import signal
import time
from pathlib import Path

import pytest

from reid.status import Status
from tests.tasks.sent import Sent

HERE = Path(__file__).parent
DDP = ("trainer=ddp_cpu", "trainer.max_epochs=1", "data.batch_size=8", "check=none")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_rank_that_breaks_fails_its_job_and_no_other(program) -> None:
    folder = program.work / "broken"
    outcome = program(
        "-m",
        f"hydra.sweep.dir={folder}",
        *DDP,
        "+callbacks.breaking._target_=breaking.OneRankRaises",
        "+callbacks.breaking.rank=1,9",
        PYTHONPATH=str(HERE),
    )
    assert outcome.status == 1
    good, broken = rows(folder)
    assert (good["status"], good["+callbacks.breaking.rank".lstrip("+")]) == ("finished", "9")
    assert (broken["job"], broken["status"]) == ("0", "failed")
    first = next(path for path in folder.iterdir() if path.name.startswith("0_"))
    logs = "".join(path.read_text() for path in first.glob("*.log"))
    assert "one rank broke" in logs, "a failed job's own log tells the failure"
    assert "1 of the jobs failed" in outcome.err


def test_several_at_once_each_with_its_processes(program) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    folder = program.work / "joblib"
    outcome = program(
        "-m", f"hydra.sweep.dir={folder}", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *DDP,
        "trainer.devices=2,1",
        "seed=1,one",
    )  # fmt: skip
    assert outcome.status == 1
    table = rows(folder)
    assert sorted((row["trainer.devices"], row["seed"], row["status"]) for row in table) == [
        ("1", "1", "finished"),
        ("1", "one", "failed"),
        ("2", "1", "finished"),
        ("2", "one", "failed"),
    ]
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    assert len(folders) == 4, "each job ran once"
    steps = [
        int((place / "metrics.csv").read_text().splitlines()[1].split(",")[1])
        for place in folders
        if (place / "metrics.csv").is_file()
    ]
    assert steps == [3, 6], "48 images in batches of 8, on two processes and on one"
    assert "one" in (folders[1] / "run.log").read_text()
    assert "rank-1" in (folders[0] / "console.log").read_text()


@pytest.mark.parametrize(
    ("launcher", "package"), [("submitit_local", "submitit"), ("ray", "ray")], ids=["submitit", "ray"]
)
def test_other_launchers_start_jobs_and_their_processes(program, launcher: str, package: str) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{package}_launcher")
    folder = program.work / launcher
    outcome = program(
        "-m",
        f"hydra.sweep.dir={folder}",
        f"hydra/launcher={launcher}",
        *DDP,
        "report=false",
        "seed=one,1",
    )
    assert outcome.status == 1
    good, broken = rows(folder)
    assert [(row["job"], row["seed"], row["status"]) for row in (good, broken)] == [
        ("1", "1", "finished"),
        ("0", "one", "failed"),
    ]
    assert (folder / "1_osnet_x0_25-pedestrians" / "train_ddp_process_1.log").is_file(), "two processes"


def test_jobs_whose_processes_slurm_started_fail_alone_and_are_resumed(
    program, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As submitit on SLURM has it: each job's processes are its own, but nobody starts more for it."""
    slurm = {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_JOB_NAME": "job", "SUBMITIT_EXECUTOR": "slurm"}
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    folder = program.work / "in_place"
    words = ["hydra.mode=MULTIRUN", f"hydra.sweep.dir={folder}", "trainer.profiler=a,b,c", "check=none"]
    outcome = program.inside(*words)
    assert outcome.status == 1
    assert [(row["job"], row["status"]) for row in rows(folder)] == [(str(n), "failed") for n in range(3)]

    first, second, third = (folder / f"{n}_osnet_x0_25-pedestrians" for n in range(3))
    done = Status.read(first).ended("finished", objective=0.5)
    done.write(first)
    (second / "checkpoints").mkdir()
    (second / "checkpoints" / "last.ckpt").touch()
    assert program.inside(*words, f"sweep.resume={folder}").status == 1
    assert Status.read(first) == done
    assert "last.ckpt" in Status.read(second).error, "where it stopped"
    assert "trainer.profiler=c" in Status.read(third).error


def test_a_killed_sweep_goes_on_where_it_was(program) -> None:
    folder = program.work / "killed"
    sentence = ("trainer.max_epochs=12", "check=none", "seed=1,2", "logger=wandb")
    process, _ = program.start("-m", f"hydra.sweep.dir={folder}", *sentence)
    second = folder / "1_osnet_x0_25-pedestrians"
    deadline = time.monotonic() + 300
    while not (second / "checkpoints" / "last.ckpt").is_file():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while any(f"{folder}" in command for command in commands()):
        assert time.monotonic() < deadline, "a job outlives its sweep"
        time.sleep(0.1)
    first = Status.read(folder / "0_osnet_x0_25-pedestrians")
    assert (first.state, Status.read(second).state) == ("finished", "running")

    outcome = program("-m", *sentence, f"sweep.resume={folder}")
    assert outcome.status == 0, outcome.err
    assert "job 0 is finished already" in outcome.err
    assert Status.read(folder / "0_osnet_x0_25-pedestrians") == first
    assert [row["status"] for row in rows(folder)] == ["finished", "finished"]
    epochs = [line.split(",")[0] for line in (second / "metrics.csv").read_text().splitlines()[1:]]
    assert epochs == [str(epoch) for epoch in range(12)], "the epochs before and after, each once"
    assert "resume=" in (second / ".hydra" / "overrides.yaml").read_text()
    before, after = sorted((second / "wandb").glob("offline-run-*"))
    run = Sent.of(second).run
    assert before.name.endswith(run.run_id), "wandb shows one run"
    assert after.name.endswith(run.run_id)
    assert (run.run_group, run.display_name) == (folder.name, second.name)
    assert run.notes.endswith("check=none seed=2 logger=wandb")


def test_ctrl_c_before_a_job_has_begun_ends_the_sweep_too(program) -> None:
    folder = program.work / "early"
    process, _ = program.start("-m", f"hydra.sweep.dir={folder}", "seed=1,2")
    deadline = time.monotonic() + 120
    while not any(f"hydra.run.dir='{folder}" in command for command in commands()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # the job imports what it needs
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, said
    assert Status.read(folder / "0_osnet_x0_25-pedestrians").state == "interrupted"
    assert not (folder / "1_osnet_x0_25-pedestrians").exists()
    assert f"sweep.resume={folder}" in said


def test_a_search_outlives_a_trial_that_fails(program) -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    folder = program.work / "search"
    outcome = program(
        f"hydra.sweep.dir={folder}",
        "sweep=search",
        "hydra.sweeper.n_trials=2",  # of which the sampler's seed makes the second fail
        "seed=choice(1,one)",
        "trainer.max_epochs=1",
        "check=none",
    )
    assert outcome.status == 1
    best, failed = rows(folder)
    assert (best["seed"], failed["seed"], failed["status"]) == ("1", "one", "failed")
    assert f"Best value: {best['mAP']}" in outcome.out


def commands() -> list[str]:
    """The command lines of all running processes."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        if int(place.name) != os.getpid():
            try:
                found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    return [command for command in found if "run.py" in command]
