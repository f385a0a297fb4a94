"""Processes that were not started, variables that are missing and ports that are taken are said at once."""

import socket
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from reid.tasks.world import check_world

LAUNCHED = [
    *("TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK"),
    *("SLURM_NTASKS", "SLURM_JOB_NAME", "SLURM_JOB_ID", "SLURM_PROCID", "SLURM_NTASKS_PER_NODE"),
    *("NODE_RANK", "MASTER_ADDR", "MASTER_PORT"),
]


@pytest.fixture(autouse=True)
def nobody_started_this(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)


def trainer(**settings: Any) -> DictConfig:
    base = {"devices": 1, "num_nodes": 1, "accelerator": "cpu", "rank_table": None}
    return OmegaConf.create({**base, **settings})


def refused(config: DictConfig, monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="=") as problem:
        check_world(config)
    return str(problem.value)


def test_one_command_needs_nothing() -> None:
    check_world(trainer())
    check_world(trainer(devices=8))


def test_torchrun_started_another_number(monkeypatch: pytest.MonkeyPatch) -> None:
    started = {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "4"}
    said = refused(trainer(devices=2), monkeypatch, **started)
    assert "devices=2 x trainer.num_nodes=1 make 2 processes, torchrun started 4" in said
    assert "add cluster=torchrun" in said
    check_world(trainer(devices=2, num_nodes=2))
    check_world(trainer(devices="auto", num_nodes=2))


def test_slurm_started_another_number(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refused(trainer(), monkeypatch, SLURM_NTASKS="2", SLURM_PROCID="1")
    assert "srun --nodes=N --ntasks-per-node=M" in said
    said = refused(trainer(), monkeypatch, SLURM_NTASKS_PER_NODE="2")
    assert "slurm started 2, 2 of them on this machine: add cluster=slurm" in said
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    check_world(trainer())


def test_a_machine_of_several_needs_three_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MASTER_ADDR", "10.0.0.1"), ("MASTER_PORT", "29577"), ("NODE_RANK", "1")):
        assert f"trainer.num_nodes=2, and {name} is not set" in refused(trainer(num_nodes=2), monkeypatch)
        monkeypatch.setenv(name, value)
    check_world(trainer(num_nodes=2))


@pytest.mark.parametrize(("number", "nodes"), [("2", 2), ("-1", 2), ("first", 2), ("1", 1)])
def test_the_number_of_a_machine_is_one_of_them(
    monkeypatch: pytest.MonkeyPatch, number: str, nodes: int
) -> None:
    said = refused(trainer(num_nodes=nodes), monkeypatch, NODE_RANK=number)
    assert f"NODE_RANK={number} with trainer.num_nodes={nodes}: use 0 to {nodes - 1}" in said


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = str(other.getsockname()[1])
        said = refused(trainer(devices=2), monkeypatch, MASTER_PORT=port)
        assert f"MASTER_PORT={port} cannot be listened at (Address already in use)" in said
        check_world(trainer(devices=1))  # nobody listens
        monkeypatch.setenv("NODE_RANK", "1")
        monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
        check_world(trainer(num_nodes=2))  # another machine listens
    assert "from 1 to 65535" in refused(trainer(devices=2), monkeypatch, MASTER_PORT="http", NODE_RANK="0")


def test_the_port_that_slurm_s_job_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    started = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "0"}
    with socket.socket() as other:
        for job in range(1, 10000, 97):
            try:
                other.bind(("", 15000 + job))
                break
            except OSError:
                continue
        other.listen()
        said = refused(trainer(devices=2), monkeypatch, **started, SLURM_JOB_ID=f"7{job:04d}")
        assert f"MASTER_PORT={15000 + job} cannot be listened at" in said
