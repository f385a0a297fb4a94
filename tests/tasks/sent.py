"""What an offline run of wandb would send, read from its .wandb file."""

import json
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from wandb.proto.wandb_internal_pb2 import Record

from reid.loggers.layout import VIEWS


@dataclass(frozen=True)
class Sent:
    """The records of a file, by kind, and the folder of the files that go along."""

    records: dict[str, list]
    files: Path

    @classmethod
    def of(cls, folder: Path) -> "Sent":
        """Of the newest run in a run's folder; its writer may be a little behind the program."""
        path = max(folder.glob("wandb/offline-run-*/run-*.wandb"))
        deadline = time.monotonic() + 60
        while "exit" not in (found := read(path)):
            assert time.monotonic() < deadline, f"{path} never ended, it holds {found.keys()}"
            time.sleep(0.2)
        return cls(found, path.parent / "files")

    @property
    def run(self) -> Any:
        return self.records["run"][0]

    @property
    def exit_code(self) -> int:
        return self.records["exit"][0].exit_code

    @property
    def config(self) -> dict[str, Any]:
        items = [item for record in self.records["config"] for item in record.update if item.key]
        return {item.key: json.loads(item.value_json) for item in items}

    @property
    def charts(self) -> dict[str, dict]:
        """Name -> the chart that wandb draws of a table."""
        items = [item for record in self.records["config"] for item in record.update if item.nested_key]
        return {item.nested_key[2]: json.loads(item.value_json) for item in items}

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The history: key -> value; keys of media and tables go on in parts."""
        return [
            {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in row.item}
            for row in self.records["history"]
        ]

    def last(self, key: str) -> Any:
        return [row[key] for row in self.rows if key in row][-1]

    def pictures(self) -> set[str]:
        """Names of those that are logged, and there."""
        ends = ("pictures/", "/path")
        found = {
            key.removeprefix(ends[0]).removesuffix(ends[1]): self.files / value
            for row in self.rows
            for key, value in row.items()
            if key.startswith(ends[0]) and key.endswith(ends[1])
        }
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in found.values())
        return set(found)

    def lacks(self, view: str) -> set[str]:
        """Keys that panels of a view show, and the run does not have."""
        panels = [panel for section in VIEWS[view] for panel in section.panels]
        sent = {key for row in self.rows for key in row}
        sent |= {f"pictures/{name}" for name in self.pictures()} | self.charts.keys()
        config = OmegaConf.create(self.config)
        asked = {key for panel in panels for key in panel.keys}
        return {key for key in asked - sent if OmegaConf.select(config, key) is None}

    def table(self, chart: str) -> list[list]:
        """The rows of a chart's table."""
        return json.loads((self.files / self.last(f"charts/{chart}_table/path")).read_text())["data"]


def read(path: Path) -> dict[str, list]:
    """The records of a .wandb file: LevelDB's log, after a header of seven bytes."""
    content, place, message = path.read_bytes(), 7, b""
    found: dict[str, list] = {}
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
