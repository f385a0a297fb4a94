"""A server on loopback that answers wandb's client as wandb's does, and keeps what it is sent."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

KEY = 40 * "a"
VIEWER = {"id": "1", "entity": "someone", "username": "someone", "flags": "{}", "teams": {"edges": []}}


class Server(ThreadingHTTPServer):
    """What it was sent, since it runs."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.views: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}  # of runs by their path, of artifacts below artifact/
        self.history: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        return {"WANDB_BASE_URL": self.address, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up has what it wants."""


class Answering(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    numbers: ClassVar[dict[str, int]] = {"artifact": 0}

    def do_PUT(self) -> None:
        self.server.files[self.path.removeprefix("/up/")] = self.body()
        self.answer({})

    def do_POST(self) -> None:
        body = self.body()
        if self.path == "/graphql":
            asked = json.loads(body)
            found = re.search(r"(?:query|mutation) (\w+)", asked["query"])
            assert found
            self.answer({"data": self.data(found[1], asked.get("variables") or {})})
            return
        if self.path.endswith("/file_stream"):
            for name, part in (json.loads(body).get("files") or {}).items():
                if name == "wandb-history.jsonl":
                    self.server.history += map(json.loads, part["content"])
        self.answer({"exitcode": 0, "limits": {}})

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def data(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation == "UpsertView2":
            self.server.views.append(given)
            return {"upsertView": {"view": {"id": "view", "name": "nw-view-v"}, "inserted": True}}
        if operation == "UpsertBucket":
            self.server.runs.append(given)
            project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": "someone"}}
            bucket = {"id": "b", "name": given["name"], "displayName": "", "config": "{}", "project": project}
            return {"upsertBucket": {"bucket": {**bucket, "historyLineCount": 0}, "inserted": True}}
        if operation == "CreateRunFiles":
            places = [{"name": name, "uploadUrl": self.upload(name)} for name in given["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": places}}
        return self.artifact_data(operation, given)

    def artifact_data(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        if operation == "CreateArtifact":
            self.numbers["artifact"] += 1
            made = {"id": f"a{self.numbers['artifact']}", "state": "PENDING", "artifactSequence": {"id": "s"}}
            return {"createArtifact": {"artifact": made}}
        if operation in ("CreateArtifactManifest", "UpdateArtifactManifest"):
            file = {"id": "f", "uploadUrl": self.upload("manifest"), "uploadHeaders": []}
            name = operation[0].lower() + operation[1:]
            return {name: {"artifactManifest": {"id": "m", "file": file}}}
        if operation == "CreateArtifactFiles":
            nodes = [
                {
                    "uploadUrl": self.upload(f"artifact/{each['name']}"),
                    "uploadHeaders": [],
                    "artifact": {"id": each["artifactID"]},
                }
                for each in given["input"]["artifactFiles"]
            ]
            return {"createArtifactFiles": {"files": {"edges": [{"node": node} for node in nodes]}}}
        if operation == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "x"}}}
        return {"viewer": VIEWER, "serverInfo": {"features": []}, "model": None}

    def upload(self, name: str) -> str:
        return f"{self.server.address}/up/{name}"

    def answer(self, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def serving() -> Iterator[Server]:
    with Server(Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
