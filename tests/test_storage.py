"""URLs: fetched whole through a cache and copied out, by fsspec's own file systems and an S3 on loopback."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import fsspec
import pytest
from fsspec.registry import _registry
from omegaconf import DictConfig, OmegaConf

from reid import storage
from reid.launch import name_of_start, prepare
from reid.storage import connect, copy_out, fetch, is_url, send
from reid.tasks.cloud import bring_in

PICTURES = {"query/0001.jpg": b"one", "query/0002.jpg": b"two", "train/deep/0003.jpg": b"three" * 1000}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "PAUSE", 0.001)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for name, content in PICTURES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Failing:
    """A file system's get_file or put_file that fails the first times; fsspec keeps its instances."""

    def __init__(self, files: Any, name: str, *, times: int) -> None:
        self.method, self.name, self.times, self.calls = getattr(files, name), name, times, 0

    def __call__(self, source: str, target: str) -> None:
        self.calls += 1
        if self.calls <= self.times:
            if self.name == "get_file":
                Path(target).write_bytes(b"o")  # part of it
            raise ConnectionResetError("reset by peer")
        self.method(source, target)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Failing]:
    def replace(url: str, name: str, *, times: int, endpoint: str | None = None) -> Failing:
        files, _ = connect(url, endpoint=endpoint)
        method = Failing(files, name, times=times)
        monkeypatch.setattr(files, name, method)
        return method

    return replace


@pytest.mark.parametrize("value", ["s3://bucket/x", "obs://bucket", "file:///tmp", "memory://a"])
def test_a_url(value: str) -> None:
    assert is_url(value)


@pytest.mark.parametrize("value", ["data", "/data", "C:/data", "a b://c", "", None, 3, "data//more"])
def test_no_url(value: object) -> None:
    assert not is_url(value)


def test_a_tree_arrives_and_is_fetched_once(
    source: Path, tmp_path: Path, failing: Callable[..., Failing]
) -> None:
    place = fetch(f"file://{source}", tmp_path / "cache")
    assert contents(place) == PICTURES
    counted = failing("file:///", "get_file", times=0)
    assert fetch(f"file://{source}/", tmp_path / "cache") == place
    assert counted.calls == 0
    (source / "query/0001.jpg").write_bytes(b"longer")
    fetch(f"file://{source}", tmp_path / "cache")
    assert counted.calls == 1
    assert (place / "query/0001.jpg").read_bytes() == b"longer"
    (source / "query/0002.jpg").write_bytes(b"TWO")  # a checkpoint trained anew has the old one's size
    os.utime(source / "query/0002.jpg", (1, 1))
    fetch(f"file://{source}", tmp_path / "cache")
    assert (place / "query/0002.jpg").read_bytes() == b"TWO"


def test_one_file_from_memory(tmp_path: Path) -> None:
    fsspec.filesystem("memory").pipe("/weights/osnet.pth", b"weights")
    place = fetch("memory://weights/osnet.pth", tmp_path)
    assert place.name == "osnet.pth"
    assert place.read_bytes() == b"weights"


def test_processes_of_one_start_look_once(source: Path, tmp_path: Path) -> None:
    place = fetch(f"file://{source}", tmp_path / "cache", start="a")
    (source / "query/0004.jpg").write_bytes(b"four")
    fetch(f"file://{source}", tmp_path / "cache", start="a")
    assert not (place / "query/0004.jpg").exists()
    fetch(f"file://{source}", tmp_path / "cache", start="b")
    assert (place / "query/0004.jpg").exists()


def test_ranks_share_the_name_of_their_start(monkeypatch: pytest.MonkeyPatch) -> None:
    own = name_of_start()
    monkeypatch.setattr(sys, "argv", ["run.py", "hydra.job.name=train_ddp_process_1"])
    assert name_of_start() != own
    monkeypatch.setattr(os, "getppid", os.getpid)  # as a child of this one
    assert name_of_start() == own


def test_a_failing_attempt_is_repeated_and_leaves_nothing(
    source: Path, tmp_path: Path, failing: Callable[..., Failing]
) -> None:
    failing("file:///", "get_file", times=2)
    assert contents(fetch(f"file://{source}", tmp_path / "cache")) == PICTURES
    failing("file:///", "get_file", times=10**6)
    with pytest.raises(OSError, match="failed 4 times: ConnectionResetError: reset by peer"):
        fetch(f"file://{source}", tmp_path / "other")
    assert set(contents(tmp_path / "other").values()) <= {b""}, "no part of a file but the lock"


def test_only_changed_files_are_copied_out(source: Path, tmp_path: Path) -> None:
    copied: storage.Copied = {}
    (source / ".draft.jpg.1-ab").write_bytes(b"half")
    assert copy_out(source, f"file://{tmp_path}/to", copied=copied) == 3
    assert contents(tmp_path / "to") == PICTURES
    assert copy_out(source, f"file://{tmp_path}/to", copied=copied) == 0
    (source / "query/0001.jpg").write_bytes(b"ONE")
    assert copy_out(source, f"file://{tmp_path}/to", copied=copied) == 1
    assert (tmp_path / "to/query/0001.jpg").read_bytes() == b"ONE"


def test_mistakes_name_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="Protocol not known: nowhere; use s3://"):
        fetch("nowhere://bucket/x", tmp_path)
    with pytest.raises(ValueError, match=r"obs://bucket/x needs storage\.endpoint=https://obs"):
        fetch("obs://bucket/x", tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        fetch(f"file://{tmp_path}/nothing-here", tmp_path)
    with pytest.raises(ValueError, match=r"without \.\."):
        fetch("memory://bucket/../../x", tmp_path)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)  # another test may have imported it
    with pytest.raises(ValueError, match=r"s3:// is missing: pip install reid-lightning\[cloud\]"):
        fetch("s3://bucket/x", tmp_path)


@pytest.mark.parametrize(("task", "key"), [("train", "model.weights"), ("evaluate", "checkpoint")])
def test_arguments_of_modelarts_are_ours(task: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [
        "run.py", "platform=modelarts", f"task={task}", "--data_url=s3://b/data/", "--train_url=/cache/out",
        "--checkpoint_url=obs://b/x",
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", words)
    prepare()
    ours = ["paths.data='obs://b/data/'", "storage.output='/cache/out'", f"{key}='obs://b/x'"]
    assert sys.argv == [*words[:3], *ours]
    monkeypatch.setattr(sys, "argv", ["run.py", *words[2:]])
    prepare()
    assert sys.argv == ["run.py", *words[2:]], "elsewhere they are none of ours"


def configured(cache: Path, **values: Any) -> DictConfig:
    """What bring_in looks at."""
    storage = {"cache": str(cache), "endpoint": values.pop("endpoint", None), "unpack": False}
    return OmegaConf.create({"storage": storage, **values})


def test_a_folder_stands_for_its_one_file(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/trained/best.ckpt", b"weights")
    config = configured(tmp_path, checkpoint="memory://trained")
    bring_in(config)
    assert Path(config.checkpoint).read_bytes() == b"weights"
    memory.pipe("/trained/last.ckpt", b"weights")
    with pytest.raises(ValueError, match=r"a folder of 2 files \(best.ckpt, last.ckpt\): name one"):
        bring_in(configured(tmp_path / "2", checkpoint="memory://trained"))


@pytest.mark.parametrize("url", ["memory://exported/osnet.om", "memory://exported"])
def test_a_file_comes_with_its_card(url: str, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe({"/exported/osnet.om": b"om", "/exported/osnet.om.json": b"{}"})
    config = configured(tmp_path, model_file=url)
    bring_in(config)
    assert Path(config.model_file).read_bytes() == b"om"
    assert Path(f"{config.model_file}.json").read_bytes() == b"{}"


def test_pictures_come_one_by_one_as_folders_and_as_lists(s3: str, source: Path, tmp_path: Path) -> None:
    (source / "some.txt").write_text("query/0002.jpg\n\ntrain/deep/0003.jpg\n")
    copy_out(source, "s3://reid/p", copied={}, endpoint=s3)
    task = {
        "images": ["s3://reid/p/query/0001.jpg", "here.jpg"],
        "queries": "s3://reid/p/some.txt",
        "gallery": "s3://reid/p/train",
    }
    config = configured(tmp_path / "cache", endpoint=s3, task=task)
    bring_in(config)
    first, second = config.task.images
    assert (Path(first).read_bytes(), second) == (b"one", "here.jpg")
    listed = Path(config.task.queries).parent
    assert contents(listed / "query") == {"0001.jpg": b"one", "0002.jpg": b"two"}
    assert contents(Path(config.task.gallery)) == {"deep/0003.jpg": b"three" * 1000}
    fsspec.filesystem("memory").pipe("/lists/out.txt", b"../../elsewhere.jpg")
    with pytest.raises(ValueError, match=r"without \.\."):
        bring_in(configured(tmp_path / "cache", task={"queries": "memory://lists/out.txt"}))


def test_one_file_is_sent(s3: str, source: Path, failing: Callable[..., Failing]) -> None:
    failed = failing("s3://reid", "put_file", times=1, endpoint=s3)
    send(source / "query/0001.jpg", "s3://reid/new/one.jpg", endpoint=s3)
    assert failed.calls == 2
    assert connect("s3://reid", endpoint=s3)[0].cat("reid/new/one.jpg") == b"one"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def s3(credentials: None) -> Iterator[str]:
    """The endpoint of an S3 with an empty bucket called reid."""
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()  # servers share buckets
    connect("s3://reid", endpoint=endpoint)[0].mkdir("reid")
    yield endpoint
    server.stop()


def test_an_s3(s3: str, source: Path, tmp_path: Path, failing: Callable[..., Failing]) -> None:
    copied: storage.Copied = {}
    assert copy_out(source, "s3://reid/data", copied=copied, endpoint=s3) == 3
    files, _ = connect("s3://reid", endpoint=s3)
    files.touch("reid/data/query/")  # what consoles leave for a folder
    failed = failing("s3://reid", "get_file", times=1, endpoint=s3)
    place = fetch("s3://reid/data", tmp_path / "cache", endpoint=s3)
    assert contents(place) == PICTURES
    assert failed.calls == 4
    assert fetch("s3://reid/data", tmp_path / "cache", endpoint=s3) == place
    assert failed.calls == 4
    one = fetch("obs://reid/data/query/0002.jpg", tmp_path / "cache", endpoint=s3)
    assert one.read_bytes() == b"two"
    with pytest.raises(FileNotFoundError):
        fetch("s3://reid/nothing", tmp_path / "cache", endpoint=s3)
    with pytest.raises(FileNotFoundError):
        fetch("s3://elsewhere/data", tmp_path / "cache", endpoint=s3)
    failed = failing("s3://reid", "put_file", times=1, endpoint=s3)
    (source / "query/0001.jpg").write_bytes(b"longer")
    assert copy_out(source, "s3://reid/data", copied=copied, endpoint=s3) == 1
    assert failed.calls == 2
    fetch("s3://reid/data", tmp_path / "cache", endpoint=s3)
    assert (place / "query/0001.jpg").read_bytes() == b"longer"


def test_obs_has_the_bucket_in_the_host_name(credentials: None) -> None:
    pytest.importorskip("s3fs")
    files, _ = connect("obs://reid/x", endpoint="https://obs.example.org")
    assert files.url("reid/x").startswith("https://reid.obs.example.org/x?")
