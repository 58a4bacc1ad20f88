"""Stores written to a server of S3 by processes that are killed; `pip install s3fs 'moto[s3,server]'`."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.stores import write

pytest.importorskip("s3fs", reason="pip install s3fs")
pytest.importorskip("moto.server", reason="pip install 'moto[s3,server]'")

PROGRAM = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import fsspec
from projhead.store.bucket import Bucket
from stores import Hashing, write

whole, calls = Bucket._replace, 0

def killed(self, name, here, mode="overwrite"):
    global calls
    if name == sys.argv[1] and {when!r} == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    whole(self, name, here, mode)
    calls += name == "manifest.json"
    if name == sys.argv[1] and (name != "manifest.json" or calls == 2):
        os.kill(os.getpid(), signal.SIGKILL)

Bucket._replace = killed
encoder = Hashing()
store = write("s3://bucket/docs", encoder)
print(encoder.done, len(store), len(store.texts))
system = fsspec.filesystem("s3")
system.get("s3://bucket/docs/", {copy!r}, recursive=True)
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1", "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    request = urllib.request.Request(f"{url}/bucket", method="PUT")
                    urllib.request.urlopen(request, timeout=5).close()
                    break
                except urllib.error.URLError:
                    assert process.poll() is None
                    time.sleep(0.1)
            yield url
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("at", "when", "left"),
    [
        ("manifest.json", "before", 50),
        ("marks/data-00001.json", "before", 30),
        ("marks/data-00001.json", "after", 30),
        ("data-00001.arrow", "after", 10),
        ("state.json", "after", 0),
        ("manifest.json", "after", 0),
    ],
)
def test_after_a_kill_the_same_command_ends_with_the_bytes_of_a_folder(
    server: str, at: str, when: str, left: int, tmp_path: Path
) -> None:
    write(tmp_path / "undisturbed")
    copy = tmp_path / "copy"
    program = PROGRAM.format(folder=str(Path(__file__).parent), when=when, copy=str(copy))

    def run(at: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, at]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    ended = run(at)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    again = run("")
    assert again.stdout.split() == [str(left), "50", "50"], again.stderr
    done = subprocess.run(["diff", "-r", tmp_path / "undisturbed", copy], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
