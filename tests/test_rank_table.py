"""Ascend's rank tables: what a good one says, and one line for each way to get it wrong."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from reid.launch import place_in_table
from reid.rank_table import RankTable
from reid.tasks.world import check_world

HERE, ELSEWHERE = "127.0.0.1", "192.0.2.7"  # the second is reserved for documents: no machine has it

Table = dict[str, Any]


@pytest.fixture(autouse=True)
def nobody_started_this(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "SLURM_NTASKS", "HCCL_CONNECT_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "RANK_TABLE_FILE"):
        monkeypatch.setenv(name, "")  # so that what a test sets is undone
        monkeypatch.delenv(name)


def table(*servers: str, devices: int = 2) -> Table:
    """As hccl_tools writes it; ranks in the order of servers."""
    return {
        "version": "1.0",
        "server_count": str(len(servers)),
        "server_list": [
            {
                "server_id": address,
                "device": [
                    {
                        "device_id": str(device),
                        "device_ip": f"192.168.{number}.{device}",
                        "rank_id": str(number * devices + device),
                    }
                    for device in range(devices)
                ],
                "host_nic_ip": "reserve",
            }
            for number, address in enumerate(servers)
        ],
        "status": "completed",
    }


def device(content: Table, server: int = 0, place: int = 0) -> Table:
    entry: Table = content["server_list"][server]["device"][place]
    return entry


def written(folder: Path, content: object) -> Path:
    path = folder / "hccl.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def trainer(path: Path, **settings: Any) -> DictConfig:
    base = {"devices": 2, "num_nodes": 1, "accelerator": "cpu", "rank_table": str(path)}
    return OmegaConf.create({**base, **settings})


def test_ranks_and_devices_of_each_server(tmp_path: Path) -> None:
    content = table(ELSEWHERE, HERE)
    content["server_list"].reverse()
    content["server_list"][0]["device"].reverse()
    found = RankTable.read(written(tmp_path, content))
    assert [server.address for server in found.servers] == [ELSEWHERE, HERE], "by their ranks"
    assert [server.ranks for server in found.servers] == [(0, 1), (2, 3)]
    assert [server.devices for server in found.servers] == [(0, 1), (0, 1)]
    assert (found.world_size, found.here()) == (4, 1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.update(status="initializing"), "status is 'initializing', not 'completed'"),
        (lambda t: t.pop("status"), "the table has no status"),
        (lambda t: t.update(server_count=2), 'is 2: HCCL reads strings alone, write "2"'),
        (lambda t: t.update(server_count="3"), "server_count is 3, and server_list has 2"),
        (lambda t: t.update(server_list={}), "server_list of the table is {}, not a list of one or more"),
        (lambda t: t["server_list"][1].update(server_id="node7"), "'node7', not an IP address"),
        (lambda t: t["server_list"][1].update(server_id=HERE), "server_id 127.0.0.1 stands there twice"),
        (lambda t: t["server_list"][1].update(device=[]), "device of server_list[1] is []"),
        (lambda t: device(t).update(rank_id=0), "rank_id of server_list[0].device[0] is 0: HCCL reads"),
        (lambda t: device(t).update(rank_id="-1"), "'-1': write a number from 0 on"),
        (lambda t: device(t).update(rank_id="1"), "rank_id 1 stands there twice"),
        (lambda t: device(t, 1).update(rank_id="1"), "rank_id 1 stands there twice"),
        (lambda t: device(t, 1, 1).update(rank_id="9"), "rank_id are [0, 1, 2, 9]: number them 0 to 3"),
        (lambda t: device(t).update(device_id="1"), "device_id 1 twice"),
        (lambda t: device(t).update(device_ip="x"), "'x', not an IP address"),
        (
            lambda t: (device(t, 0, 1).update(rank_id="2"), device(t, 1, 0).update(rank_id="1")),
            "has the ranks [0, 2]: they must follow one another",
        ),
        (lambda t: t["server_list"][1]["device"].pop(), "servers have [1, 2] devices: give each machine"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, spoil: Callable[[Table], object], message: str) -> None:
    content = table(HERE, ELSEWHERE)
    spoil(content)
    with pytest.raises(ValueError, match="rank_table=") as refused:
        RankTable.read(written(tmp_path, content))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(("content", "message"), [("{", "is not JSON"), ("[]", "not a mapping")])
def test_what_is_no_table_is_said(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RankTable.read(written(tmp_path, content))
    with pytest.raises(ValueError, match=r"rank_table=nowhere\.json is no file"):
        RankTable.read(Path("nowhere.json"))


def test_a_machine_that_is_not_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = RankTable.read(written(tmp_path, table(ELSEWHERE, "192.0.2.8")))
    with pytest.raises(ValueError, match=r"none of these addresses is this machine's.*NODE_RANK"):
        found.here()
    monkeypatch.setenv("NODE_RANK", "1")
    assert found.here() == 1
    monkeypatch.setenv("NODE_RANK", "2")
    with pytest.raises(ValueError, match=r"NODE_RANK=2, and .* has 2 servers: use 0 to 1"):
        found.here()


def test_a_table_of_one_server(tmp_path: Path) -> None:
    path = written(tmp_path, table(HERE))
    (tmp_path / "link.json").symlink_to(path)
    check_world(trainer(tmp_path / "link.json"))
    assert os.environ["RANK_TABLE_FILE"] == str(path), "absolute, and no link"
    assert os.environ["NODE_RANK"] == "0"
    assert "MASTER_ADDR" not in os.environ, "Lightning finds a port by itself"


def test_a_table_of_two_servers(tmp_path: Path) -> None:
    path = written(tmp_path, table(ELSEWHERE, HERE))
    place_in_table(["model=osnet", f"trainer.rank_table={path}"])
    assert os.environ["NODE_RANK"] == "1", "known before Hydra makes a run folder"
    check_world(trainer(path, num_nodes=2))
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == (ELSEWHERE, "29500")


def test_a_bad_table_waits_for_the_task_to_say_so(tmp_path: Path) -> None:
    place_in_table([f"trainer.rank_table={written(tmp_path, '{')}"])
    assert "NODE_RANK" not in os.environ


def test_another_world_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, table(HERE, ELSEWHERE))
    with pytest.raises(
        ValueError, match=r"a world of 4; .* make 2: set trainer.devices=2 trainer.num_nodes=2"
    ):
        check_world(trainer(path))


def test_another_order_of_machines_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, table(HERE, ELSEWHERE))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("GROUP_RANK", "1")
    with pytest.raises(ValueError, match="has this machine as number 0, torchrun as 1"):
        check_world(trainer(path, num_nodes=2))


def test_hccl_waits_and_takes_the_table_s_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = table(HERE)
    device(content).update(device_id="5")
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=r"HCCL_CONNECT_TIMEOUT=120 s is too short .* set 300 or more"):
        check_world(trainer(path, accelerator="npu"))
    monkeypatch.setenv("HCCL_CONNECT_TIMEOUT", "600")
    config = trainer(path, accelerator="npu")
    check_world(config)
    assert list(config.devices) == [5, 1], "by rank"
    with pytest.raises(ValueError, match=r"has devices \[5, 1\], trainer.devices=\[0, 1\]"):
        check_world(trainer(path, accelerator="npu", devices=[0, 1]))
