"""Ascend's rank table, hccl_8p.json: which machine has which ranks, and which device each of them takes."""

import ipaddress
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORM = (
    '{"version": "1.0", "server_count": "1", "server_list": [{"server_id": "10.0.0.1", "device":'
    ' [{"device_id": "0", "device_ip": "192.168.1.1", "rank_id": "0"}]}], "status": "completed"}'
)


@dataclass(frozen=True)
class Server:
    """One machine of a rank table."""

    address: str
    ranks: tuple[int, ...]  # ascending
    devices: tuple[int, ...]  # of each of these ranks


@dataclass(frozen=True)
class RankTable:
    """The machines, in the order of their ranks; each has equally many, which follow one another."""

    path: Path  # absolute, and no link: HCCL reads no other
    servers: tuple[Server, ...]

    @classmethod
    def read(cls, path: Path) -> "RankTable":
        """The table in a file as hccl_tools writes it, in which all values are strings.

        Raises:
            ValueError: there is no such file, or it is not such a table.
        """
        where = f"trainer.rank_table={path}"
        if not path.is_file():
            raise ValueError(f"{where} is no file: write it with hccl_tools.py, or give another path")
        try:
            content = json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"{where} is not JSON ({error}): it should look like {FORM}") from error
        try:
            servers = tuple(sorted(_servers(content), key=lambda server: server.ranks))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        return cls(path.resolve(), servers)

    @property
    def world_size(self) -> int:
        """Ranks of all machines."""
        return sum(len(server.ranks) for server in self.servers)

    def here(self) -> int:
        """Which of the servers this machine is: by NODE_RANK where it is set, else by its own addresses.

        Raises:
            ValueError: it is none of them.
        """
        if given := os.environ.get("NODE_RANK"):
            if given.isdecimal() and int(given) < len(self.servers):
                return int(given)
            raise ValueError(
                f"NODE_RANK={given}, and trainer.rank_table={self.path} has {len(self.servers)} servers: use"
                f" 0 to {len(self.servers) - 1}, or unset it"
            )
        for number, server in enumerate(self.servers):
            if _is_own(server.address):
                return number
        raise ValueError(
            f"trainer.rank_table={self.path} has the servers"
            f" {', '.join(server.address for server in self.servers)}, and none of these addresses is this"
            " machine's: correct server_id, or set NODE_RANK (in a container without the host's network)"
        )


def _servers(content: Any) -> list[Server]:
    """Raise ``ValueError`` with the first thing that is wrong."""
    table = _mapping(content, "the table")
    status = _text(table, "status", "the table")
    if status != "completed":
        raise ValueError(f"status is {status!r}, not 'completed': wait until it is, or write the table anew")
    listed = _list(table, "server_list", "the table")
    count = _number(table, "server_count", "the table")
    if count != len(listed):
        raise ValueError(f"server_count is {count}, and server_list has {len(listed)}: make them equal")
    servers = [_server(each, f"server_list[{place}]") for place, each in enumerate(listed)]
    addresses = [server.address for server in servers]
    numbers = [str(rank) for server in servers for rank in server.ranks]
    for what, values in (("server_id", addresses), ("rank_id", numbers)):
        if twice := [value for value in values if values.count(value) > 1]:
            raise ValueError(f"{what} {twice[0]} stands there twice: give each its own")
    ranks = sorted(rank for server in servers for rank in server.ranks)
    if ranks != list(range(len(ranks))):
        raise ValueError(f"rank_id are {ranks}: number them 0 to {len(ranks) - 1}")
    for server in servers:
        first, last = server.ranks[0], server.ranks[-1]
        if last - first + 1 != len(server.ranks):
            raise ValueError(
                f"server {server.address} has the ranks {list(server.ranks)}: they must follow one another"
            )
    if len(sizes := {len(server.ranks) for server in servers}) > 1:
        raise ValueError(f"servers have {sorted(sizes)} devices: give each machine as many")
    return servers


def _server(entry: Any, where: str) -> Server:
    server = _mapping(entry, where)
    address = _address(server, "server_id", where)
    taken: dict[int, int] = {}
    for place, each in enumerate(_list(server, "device", where)):
        there = f"{where}.device[{place}]"
        device = _mapping(each, there)
        if "device_ip" in device:
            _address(device, "device_ip", there)
        rank, number = _number(device, "rank_id", there), _number(device, "device_id", there)
        if rank in taken:
            raise ValueError(f"rank_id {rank} stands there twice: give each its own")
        if number in taken.values():
            raise ValueError(f"{where} has device_id {number} twice: give each rank its own device")
        taken[rank] = number
    return Server(address, tuple(sorted(taken)), tuple(taken[rank] for rank in sorted(taken)))


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r}, not a mapping: it should look like {FORM}")
    return value


def _field(mapping: dict[str, Any], key: str, where: str) -> Any:
    if key not in mapping:
        raise ValueError(f"{where} has no {key}: it should look like {FORM}")
    return mapping[key]


def _list(mapping: dict[str, Any], key: str, where: str) -> list[Any]:
    value = _field(mapping, key, where)
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key} of {where} is {value!r}, not a list of one or more")
    return value


def _text(mapping: dict[str, Any], key: str, where: str) -> str:
    value = _field(mapping, key, where)
    if not isinstance(value, str):
        raise ValueError(f'{key} of {where} is {value!r}: HCCL reads strings alone, write "{value}"')
    return value


def _number(mapping: dict[str, Any], key: str, where: str) -> int:
    text = _text(mapping, key, where)
    if not text.isdecimal():
        raise ValueError(f"{key} of {where} is {text!r}: write a number from 0 on, in quotes")
    return int(text)


def _address(mapping: dict[str, Any], key: str, where: str) -> str:
    text = _text(mapping, key, where)
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ValueError(f"{key} of {where} is {text!r}, not an IP address") from error


def _is_own(address: str) -> bool:
    """Whether a machine's network has an address: only then can it be listened at."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as attempt:
            attempt.bind((address, 0))
    except OSError:
        return False
    return True
