"""A stub of the hub's HTTP API over a folder, on this machine alone: create, commit, refs, files, nothing more."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from huggingface_hub import constants

TOKEN = "hf_" + "x" * 34


class Hub:
    """What the stub holds: the files of each commit of each repository, and what was asked."""

    def __init__(self) -> None:
        self.commits: dict[str, list[dict[str, bytes]]] = {}
        self.blobs: dict[str, bytes] = {}
        self.seen: list[tuple[str, str]] = []
        self.created: list[dict[str, Any]] = []
        self.url = ""

    def commit(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return the name and the files of a commit: "main" is the last, names of commits are their numbers."""
        found = self.commits.get(repository)
        if not found:
            return None
        number = len(found) - 1 if revision == "main" else int(revision, 16) if len(revision) == 40 else -1
        return (f"{number:040x}", found[number]) if 0 <= number < len(found) else None


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *given: Any) -> None: ...

        def answer(self, content: Any, code: int = 200, **headers: str) -> None:
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def asked(self) -> tuple[str, bytes]:
            path = unquote(urlparse(self.path).path)
            hub.seen.append((f"{self.command} {path}", self.headers.get("Authorization", "")))
            if self.headers.get("Transfer-Encoding") != "chunked":
                return path, self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return path, body

        def do_POST(self) -> None:
            path, body = self.asked()
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.answer({"error": "no"}, 401)
            elif path == "/api/repos/create":
                asked = json.loads(body)
                hub.created.append(asked)
                name = f"{asked.get('organization') or 'me'}/{asked['name']}"
                hub.commits.setdefault(name, [])
                self.answer({"url": f"{hub.url}/{name}", "name": name})
            elif path.endswith("/objects/batch"):
                actions = lambda oid: {"upload": {"href": f"{hub.url}/lfs/{oid}"}}  # noqa: E731
                objects = [{**one, "actions": actions(one["oid"])} for one in json.loads(body)["objects"]]
                self.answer({"transfer": "basic", "objects": objects})
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/.+", path):
                mode = lambda name: "lfs" if name.endswith((".safetensors", ".onnx")) else "regular"  # noqa: E731
                files = [
                    {**one, "uploadMode": mode(one["path"]), "shouldIgnore": False} for one in json.loads(body)["files"]
                ]
                self.answer({"files": files})
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/.+", path):
                self.answer(self.committed(found[1], body))
            else:
                self.answer({"errors": [], "warnings": []}, 200 if "validate" in path else 404)

        def committed(self, repository: str, body: bytes) -> dict[str, Any]:
            files = dict(hub.commits[repository][-1]) if hub.commits[repository] else {}
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.blobs[value["oid"]]
            hub.commits[repository].append(files)
            number = f"{len(hub.commits[repository]) - 1:040x}"
            asked = {"pullRequestUrl": f"{hub.url}/{repository}/discussions/1"} if "create_pr=1" in self.path else {}
            return {"commitOid": number, "commitUrl": f"{hub.url}/{repository}/commit/{number}", **asked}

        def do_PUT(self) -> None:
            path, body = self.asked()
            assert hashlib.sha256(body).hexdigest() == path.removeprefix("/lfs/")
            hub.blobs[path.removeprefix("/lfs/")] = body
            self.answer({})

        def do_GET(self) -> None:
            path, _ = self.asked()
            of_model = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(\w+))?", path)
            of_file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(\w+)/(.+)", path)
            found = of_model and hub.commit(of_model[1], of_model[3] or "main")
            found = found or (of_file and hub.commit(of_file[1], of_file[2]))
            if not found:
                known = (of_model or of_file or [None, None])[1] in hub.commits
                self.answer({"error": "?"}, 404, X_Error_Code="RevisionNotFound" if known else "RepoNotFound")
            elif of_file:
                content = found[1].get(of_file[3])
                tag = {"ETag": f'"{hashlib.sha256(content or b"").hexdigest()}"', "X_Repo_Commit": found[0]}
                missing = {} if content is not None else {"X_Error_Code": "EntryNotFound"}
                self.answer(content or b"", 404 if missing else 200, **tag, **missing)
            elif of_model and of_model[2] == "tree":
                files = {name: (len(one), hashlib.sha1(one).hexdigest()) for name, one in found[1].items()}
                self.answer([{"type": "file", "path": n, "size": s, "oid": oid} for n, (s, oid) in files.items()])
            elif of_model:
                self.answer({"id": of_model[1], "sha": found[0], "siblings": [{"rfilename": one} for one in found[1]]})

        do_HEAD = do_GET

    return Handler


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The stub, asked by every client of this process, with a cache of its own."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()
