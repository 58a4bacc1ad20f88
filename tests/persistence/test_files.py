from __future__ import annotations

import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from projhead.persistence import files, leftovers
from projhead.persistence.files import atomic_file, atomic_folder, is_url, sha256_of, write_array, write_json
from projhead.persistence.leftovers import recover


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = b"abc" * 700_000  # more than one block
    (tmp_path / "f").write_bytes(content)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(content).hexdigest()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "settings.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError, match="interrupted"), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("interrupted")
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "artifact"
    with atomic_folder(path) as temporary:
        (temporary / "model").write_text("old")
    with pytest.raises(RuntimeError, match="interrupted"), atomic_folder(path) as temporary:
        (temporary / "model").write_text("new")
        raise RuntimeError("interrupted")
    assert (path / "model").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "artifact"
    for name in ("old", "new"):
        with atomic_folder(path) as temporary:
            (temporary / name).write_text(name)
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_folder_is_never_absent(tmp_path: Path, can_exchange: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not can_exchange:
        monkeypatch.setattr(files, "exchange", lambda one, other: False)
    path, renamed, replace = tmp_path / "artifact", [], os.replace
    monkeypatch.setattr(os, "replace", lambda one, other: (replace(one, other), renamed.append(path.exists())))
    for name in ("old", "new"):
        with atomic_folder(path) as temporary:
            (temporary / name).write_text(name)
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]
    # Without exchange there is a moment without a folder, which the next start ends (below).
    assert renamed == ([True] if can_exchange else [True, False, True])


KILLED = """
import os, signal, sys
from pathlib import Path
from projhead.persistence import files
files.exchange = lambda one, other: False
replace, done = os.replace, []

def dies(one, other):
    replace(one, other)
    done.append(one)
    if len(done) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = dies
with files.atomic_folder(Path(sys.argv[1])) as folder:
    (folder / "new").write_text("new")
"""


@pytest.mark.parametrize("after", [1, 2])
def test_after_a_kill_between_renames_the_folder_is_found_again_and_nothing_else_is_left(
    tmp_path: Path, after: int
) -> None:
    path = tmp_path / "arti[fact]"
    path.mkdir()
    (path / "old").write_text("old")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), str(after)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.exists() == (after == 2)
    leftovers._swept.clear()
    recover(path)
    assert [file.name for file in path.iterdir()] == ["old" if after == 1 else "new"]
    leftovers.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_dead_processes_go_and_those_of_others_stay(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    pid, host = int(dead.stdout), leftovers._HOST
    gone = [f".a.json.{host}-{pid}.tmp", f".a.json.{pid}.tmp", f".b.{host}-{pid}.tmp"]
    kept = [f".a.json.{host}-{os.getppid()}.tmp", f".a.json.elsewhere-{pid}.tmp", ".mine.tmp", "a.json"]
    for name in gone[:2] + kept:
        (tmp_path / name).write_text("x")
    (tmp_path / gone[2]).mkdir()
    write_json(tmp_path / "c.json", {})
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([*kept, "c.json"])


@pytest.mark.parametrize("umask", [0o022, 0o027])
def test_the_umask_decides_who_may_read(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / "weights").touch(0o600)
        with atomic_file(tmp_path / "file") as file:
            file.unlink()
            file.touch(0o600)
    finally:
        os.umask(before)
    for one in (tmp_path / "folder" / "weights", tmp_path / "file"):
        assert one.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_file_that_did_not_change_is_read_once_and_one_that_did_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one")
    time.sleep(0.1)  # a change within the clock's step would not show
    first = sha256_of(path)
    monkeypatch.setattr(files, "_known", dict.fromkeys(files._known, "known"))
    assert sha256_of(path) == "known"
    path.write_bytes(b"two")
    assert sha256_of(path) == hashlib.sha256(b"two").hexdigest() != first


def test_an_array_whose_end_does_not_fit_the_disk_is_no_array(tmp_path: Path) -> None:
    array, limits = np.arange(1920, dtype=np.int8), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1529, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_array(tmp_path / "a.npy", array)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    write_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), array)


def test_urls_are_told_from_paths() -> None:
    urls = [
        "s3://bucket/docs",
        "memory://bucket",
        "zip://a.txt::s3://bucket/b.zip",
        "simplecache::s3://bucket/a",
        Path("gs://b"),
    ]
    paths = ["docs", "/data/docs", "a:b/c", "C:/docs", "data/x://y", "-", Path("/work")]
    assert [is_url(one) for one in [*urls, *paths]] == [True] * len(urls) + [False] * len(paths)
