"""Several processes, however they were started, find what one finds; and when one ends badly, all end."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
NOT_COMPARED = ("evaluation_seconds", "checkpoint", "match_threshold")  # the last is a rounded distance
SETUP = """
ip link set lo up
unshare --net sleep 3600 &
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link add reid0 type veth peer name reid0 netns $!
ip address add 10.98.0.1/24 dev reid0 && ip link set reid0 up
nsenter --target $! --net sh -ec \
  'ip link set lo up; ip address add 10.98.0.2/24 dev reid0; ip link set reid0 up'
echo $$ $! && sleep 3600
"""


def running() -> list[tuple[int, int, int]]:
    """Process, parent and session of all that run on this machine, by number."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                found.append((int(entry.name), int(parent), int(session)))
    return sorted(found)


@dataclass
class Job:
    """`run.py` under way, alone in its session so that nothing it starts is overlooked."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def members(self) -> list[int]:
        """All processes of the session that have not ended."""
        return [pid for pid, _, session in running() if session == self.process.pid]

    def end(self, *, within: float = 300) -> str:
        """What it said, once it has ended and left nobody behind."""
        try:
            self.process.wait(timeout=within)
            deadline = time.monotonic() + 20
            while self.members and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not self.members, "orphans"
        finally:
            for member in self.members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
        return self.folder.with_suffix(".txt").read_text()

    def metrics(self) -> dict:
        figures = json.loads((self.folder / "metrics.json").read_text())
        return {name: value for name, value in figures.items() if name not in NOT_COMPARED}


class Starter:
    """Starts jobs, each of which a folder is named for, whether it makes it or not."""

    def __init__(self, data: Path, work: Path, small: Sequence[str]) -> None:
        self.data, self.work, self.small = data, work, small
        self.jobs: list[Job] = []

    def __call__(
        self, *words: str, by: Sequence[str] = (sys.executable,), more: Mapping[str, str] | None = None
    ) -> Job:
        """Start ``words``, by a program with its options and with ``more`` environment variables."""
        folder = self.work / f"job{len(self.jobs)}"
        environment = {**os.environ, "REID_DATA": str(self.data), "OMP_NUM_THREADS": "1", **(more or {})}
        with folder.with_suffix(".txt").open("w") as output:
            process = subprocess.Popen(
                [*by, "run.py", f"hydra.run.dir={folder}", *self.small, *words],
                cwd=ROOT,
                env={**environment, "TMPDIR": str(self.work)},
                text=True,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.jobs.append(Job(process, folder))
        return self.jobs[-1]


@pytest.fixture
def start(data: Path, tmp_path: Path, small: list[str]) -> Iterator[Starter]:
    starter = Starter(data, tmp_path, small)
    yield starter
    for job in starter.jobs:
        for member in job.members:
            os.kill(member, signal.SIGKILL)


@pytest.fixture
def sentence(trained) -> list[str]:
    """An evaluation of the network that `trained` has."""
    return ["task=evaluate", f"checkpoint={trained.folder}/checkpoints/best.ckpt", "check=none"]


@pytest.fixture
def expected(trained) -> dict:
    own = ("evaluation_seconds", "train_images_per_second", "epoch", "match_threshold")
    return {name: value for name, value in trained.metrics().items() if name not in own}


def free_port() -> str:
    with socket.socket() as here:
        here.bind(("", 0))
        return str(here.getsockname()[1])


def errors(said: str) -> list[str]:
    """The lines that say what went wrong."""
    assert "Traceback" not in said, said
    return [line for line in said.splitlines() if line.startswith("Error: ")]


def together(first: Job, second: Job) -> None:
    """Both end well, and the second leaves nothing, not even a temporary folder."""
    said = [job.end() for job in (first, second)]
    assert (first.process.returncode, second.process.returncode) == (0, 0), said
    assert not second.folder.exists()
    assert not list(first.folder.parent.glob("reid-rank-*"))
    assert "mAP" in said[0]
    assert "mAP" not in said[1]


def test_shares_of_the_queries_change_nothing(start: Starter, sentence: list[str]) -> None:
    """100 queries are enough for three shares; three divide neither them nor the 104 gallery images."""
    drawing = "train_identities: 8, test_identities: 20, passes: 5, shots: 2, distractors: 4, junk: 3"
    words = [*sentence, f"data.drawing={{{drawing}}}", "data.evaluation_batch_size=7"]
    one = start(*words)
    one.end()
    assert (one.metrics()["queries"], one.metrics()["gallery"]) == (100, 104)
    three = start(*words, "trainer=ddp_cpu", "trainer.devices=3", "trainer.bind_cores=false")
    three.end()
    assert three.metrics() == one.metrics()


def test_torchrun_starts_the_processes(start: Starter, sentence: list[str], expected: dict) -> None:
    by = [*TORCHRUN, "--nproc-per-node", "2", "--master-port", free_port()]
    job = start(*sentence, "cluster=torchrun", by=by)
    said = job.end()
    assert job.process.returncode == 0, said
    assert job.metrics() == expected
    assert said.count("18 queries") == 1
    left = {path.name for path in job.folder.iterdir()}
    left -= {".hydra", "config.yaml", "evaluation.json", "metrics.json", "plots", "report.html"}
    left -= {"run.log", "status.json"}
    assert not left
    assert not list(job.folder.parent.glob("reid-rank-*"))


def test_slurm_starts_the_processes(start: Starter, sentence: list[str], expected: dict) -> None:
    shared = {
        "SLURM_JOB_ID": "123",
        "SLURM_JOB_NAME": "reid",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "2",
        "SLURM_NODELIST": "127.0.0.1",
        "SLURM_LOCALID": "0",
        "MASTER_PORT": free_port(),
    }
    first, second = (
        start(*sentence, "cluster=slurm", more={**shared, "SLURM_PROCID": number, "SLURM_NODEID": number})
        for number in ("0", "1")
    )
    together(first, second)
    assert first.metrics() == expected


@pytest.fixture(scope="module")
def machines() -> Iterator[list[list[str]]]:
    """What commands begin with to run on one of two machines, 10.98.0.1 and 2, with a cable between them."""
    if not all(shutil.which(tool) for tool in ("unshare", "nsenter", "ip")):
        pytest.skip("needs unshare, nsenter (util-linux) and ip (iproute2)")
    process = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--net", "sh", "-ec", SETUP],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        ready = process.stdout.readline().split()
        if not ready:
            pytest.skip(f"network namespaces are not permitted here: {process.stderr.read().strip()}")
        enter = ["nsenter", "--user", "--preserve-credentials", "--net", "--target"]
        yield [[*enter, number] for number in ready]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("way", ["torchrun", "one command a machine", "rank table"])
def test_two_machines_find_what_one_process_finds(
    start: Starter,
    sentence: list[str],
    expected: dict,
    machines: list[list[str]],
    tmp_path: Path,
    way: str,
) -> None:
    jobs = []
    for number, machine in enumerate(machines):
        by, words = [sys.executable], ["trainer.num_nodes=2"]
        variables = {"GLOO_SOCKET_IFNAME": "reid0"}  # the host's name is of neither network
        if way == "torchrun":
            place = ["--nnodes", "2", "--node-rank", str(number), "--nproc-per-node", "1"]
            by = [*TORCHRUN, *place, "--master-addr", "10.98.0.1", "--master-port", "29511"]
            words = ["cluster=torchrun"]
        elif way == "rank table":
            table = {
                "version": "1.0",
                "server_count": "2",
                "server_list": [
                    {"server_id": f"10.98.0.{own + 1}", "device": [{"device_id": "0", "rank_id": str(own)}]}
                    for own in (1, 0)
                ],
                "status": "completed",
            }
            (tmp_path / "hccl_2p.json").write_text(json.dumps(table))
            words.append(f"trainer.rank_table={tmp_path}/hccl_2p.json")
        else:
            variables |= {"NODE_RANK": str(number), "MASTER_ADDR": "10.98.0.1", "MASTER_PORT": "29512"}
        jobs.append(start(*sentence, *words, by=[*machine, *by], more=variables))
    together(*jobs)
    assert jobs[0].metrics() == expected


@pytest.mark.parametrize("killed", ["the second rank", "the first rank"])
def test_a_killed_rank_ends_the_job(start: Starter, killed: str) -> None:
    job = start("trainer=ddp_cpu", "trainer.max_epochs=1000", "data.batch_size=8", "check=none")
    deadline = time.monotonic() + 120
    while not (job.folder / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    first, *others = job.members
    assert first == job.process.pid
    assert len(others) == 1
    os.kill(first if "first" in killed else others[0], signal.SIGKILL)
    said = job.end(within=60)
    assert job.process.returncode == (1 if "second" in killed else -signal.SIGKILL), said
    assert len(errors(said)) == 1, said
    wanted = "local rank 1 was ended by SIGKILL" if "second" in killed else f"process {first}, which started"
    assert wanted in errors(said)[0]


@pytest.mark.parametrize("killed", ["a rank", "torchrun"])
def test_a_killed_process_ends_torchrun_s_ranks(start: Starter, killed: str) -> None:
    by = [*TORCHRUN, "--nproc-per-node", "2", "--master-port", free_port()]
    words = ["cluster=torchrun", "trainer.max_epochs=1000", "data.batch_size=8", "check=none"]
    job = start(*words, by=by)
    deadline = time.monotonic() + 120
    while not (job.folder / "metrics.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    ranks = [pid for pid, parent, _ in running() if parent == job.process.pid]  # each in a session of its own
    try:
        os.kill(ranks[-1] if killed == "a rank" else job.process.pid, signal.SIGKILL)
        said = job.end(within=60)
        deadline = time.monotonic() + 20
        while {pid for pid, *_ in running()} & set(ranks) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not {pid for pid, *_ in running()} & set(ranks), "orphans"
        if killed == "a rank":
            assert job.process.returncode == 1, said
            assert "SIGKILL" in said or "-9" in said, "torchrun's own report"
        else:
            said = job.folder.with_suffix(".txt").read_text()
            assert f"process {job.process.pid}, which started this one, is gone" in said
    finally:
        for pid in ranks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("by_torchrun", [False, True])
def test_more_processes_than_batches_is_said_once(start: Starter, by_torchrun: bool) -> None:
    words = ["data.sampler=identity", "data.images_per_identity=2", "data.drawing.passes=2", "check=none"]
    words += ["data.drawing.train_identities=8", "data.batch_size=16", "data.sampler=identity_once"]
    if by_torchrun:
        by = [*TORCHRUN, "--nproc-per-node", "2", "--master-port", free_port()]
        job = start("cluster=torchrun", *words, by=by)
    else:
        job = start("trainer=ddp_cpu", *words)
    said = job.end(within=120)
    assert job.process.returncode == 1
    lines = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, said
    assert "fewer than the 2 processes: lower data.batch_size or trainer.devices" in lines[0]
    assert by_torchrun or "Traceback" not in said, said
