"""Whether the processes that a trainer wants are those that were started, and where they meet."""

import os
import socket
from pathlib import Path

import torch.distributed
from omegaconf import DictConfig, OmegaConf

from reid.launch import is_child, is_first, started_by
from reid.rank_table import RankTable
from reid.tasks import hardware

PORT = "29500"  # of several machines by a rank table, unless MASTER_PORT says another
CONNECT = 300  # seconds at least that HCCL must wait for others where it reads a rank table


def check_world(trainer: DictConfig) -> None:
    """Look at everything that would otherwise end in a long wait, before anybody waits.

    Sets NODE_RANK, MASTER_ADDR, MASTER_PORT and RANK_TABLE_FILE where there is a rank table.

    Raises:
        ValueError: devices x num_nodes are not the processes started, a variable is missing or no number, the
            port is taken, or the rank table does not fit.
    """
    if is_child():
        return  # its parent has looked
    devices, nodes = hardware.processes(trainer), int(trainer.num_nodes)
    if trainer.rank_table is not None:
        follow_table(RankTable.read(Path(trainer.rank_table)), trainer)
    by = started_by()
    if by is None:
        check_variables(nodes)
    elif str(trainer.devices) not in ("auto", "-1"):
        check_started(by, devices=devices, nodes=nodes)
    port = os.environ.get("MASTER_PORT")
    if by == "slurm" and port is None and (job := os.environ.get("SLURM_JOB_ID", "")[-4:]).isdigit():
        port = str(15000 + int(job))  # as Lightning has it
    joined = torch.distributed.is_available() and torch.distributed.is_initialized()
    if port is not None and devices * nodes > 1 and by != "torchrun" and is_first() and not joined:
        check_port(port)


def check_started(by: str, *, devices: int, nodes: int) -> None:
    """Raise ``ValueError`` unless a launcher started ``devices`` processes on each of ``nodes`` machines."""
    names = {
        "torchrun": ("LOCAL_WORLD_SIZE", "WORLD_SIZE"),
        "slurm": ("SLURM_NTASKS_PER_NODE", "SLURM_NTASKS"),
    }[by]
    local, world = (os.environ.get(name, "") for name in names)
    if by == "slurm" and world == "1" and not local:
        local = "1"
    if not local.isdigit() or not world.isdigit():
        raise ValueError(
            f"{names[0]}={local or None} and {names[1]}={world or None}: start with"
            f" {'srun --nodes=N --ntasks-per-node=M' if by == 'slurm' else 'torchrun'}, which sets both"
        )
    if (int(local), int(world)) != (devices, devices * nodes):
        raise ValueError(
            f"trainer.devices={devices} x trainer.num_nodes={nodes} make {devices * nodes} processes, {by}"
            f" started {world}, {local} of them on this machine: add cluster={by}, which sets both"
        )


def check_variables(nodes: int) -> None:
    """Raise ``ValueError`` unless one command a machine, for ``nodes`` of them, can find the others."""
    number = os.environ.get("NODE_RANK", "0")
    if not number.isdecimal() or int(number) >= nodes:
        raise ValueError(
            f"NODE_RANK={number} with trainer.num_nodes={nodes}: use 0 to {nodes - 1}, each on one machine"
        )
    if nodes == 1:
        return
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
        if not os.environ.get(name):
            raise ValueError(
                f"trainer.num_nodes={nodes}, and {name} is not set: set MASTER_ADDR and MASTER_PORT to where"
                " the first machine listens and NODE_RANK to the number of this one, or start with torchrun"
                " (cluster=torchrun) or srun (cluster=slurm)"
            )


def check_port(port: str) -> None:
    """Raise ``ValueError`` unless this machine can listen at ``port``."""
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"MASTER_PORT={port}: use a number from 1 to 65535, the same on all machines")
    try:
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(("", int(port)))
    except OSError as error:
        raise ValueError(
            f"MASTER_PORT={port} cannot be listened at ({error.strerror}): set another, the same on all"
            " machines"
        ) from error


def follow_table(table: RankTable, trainer: DictConfig) -> None:
    """Take ranks, devices and the meeting place from a rank table.

    Raises:
        ValueError: it is of another number of processes, machines or devices, or HCCL would not wait.
    """
    where = f"trainer.rank_table={table.path}"
    node = table.here()
    own = table.servers[node]
    devices, nodes = hardware.processes(trainer), int(trainer.num_nodes)
    if (len(own.ranks), len(table.servers)) != (devices, nodes):
        raise ValueError(
            f"{where} has {len(table.servers)} servers of {len(own.ranks)} devices, a world of"
            f" {table.world_size}; trainer.devices={devices} x trainer.num_nodes={nodes} make"
            f" {devices * nodes}: set trainer.devices={len(own.ranks)} trainer.num_nodes={len(table.servers)}"
        )
    by = started_by()
    group = {"torchrun": "GROUP_RANK", "slurm": "SLURM_NODEID", None: "NODE_RANK"}[by]
    if os.environ.get(group, str(node)) != str(node):
        raise ValueError(
            f"{where} has this machine as number {node}, {by} as {os.environ[group]}: start its processes in"
            " the table's order (torchrun --node-rank), or leave the table out"
        )
    if trainer.accelerator == "npu":
        waits = os.environ.get("HCCL_CONNECT_TIMEOUT", "120")  # HCCL's own default
        if not waits.isdecimal() or int(waits) < CONNECT:
            raise ValueError(
                f"HCCL_CONNECT_TIMEOUT={waits} s is too short for {where}: set {CONNECT} or more, as 600"
            )
        chosen = hardware.chosen(trainer)
        if chosen is not None and tuple(chosen) != own.devices:
            raise ValueError(
                f"{where} has devices {list(own.devices)}, trainer.devices={chosen}: give both the same"
            )
        if own.devices != tuple(range(devices)):
            OmegaConf.update(trainer, "devices", list(own.devices))
    os.environ["RANK_TABLE_FILE"] = str(table.path)
    if by is None:
        os.environ["NODE_RANK"] = str(node)
        if nodes > 1:
            os.environ.setdefault("MASTER_ADDR", table.servers[0].address)
            os.environ.setdefault("MASTER_PORT", PORT)
