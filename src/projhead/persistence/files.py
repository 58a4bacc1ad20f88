"""Write files and folders whole or not at all: temporary name, fsync, rename."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.persistence.exchange import exchange
from projhead.persistence.leftovers import RETIRED, recover, remove, sweep, temporary_of

_BLOCK = 1 << 20
#: Files touched later than this before they are read, in nanoseconds, may change again with the same time of change.
_SETTLED = 50_000_000
#: Digests of files by what would differ if they changed: device, inode, size and time of change.
_known: dict[tuple[int, ...], str] = {}
_MOST_KNOWN = 10_000


def sha256_of(path: Path, *, done: bool = False) -> str:
    """Return the sha256 of a file's bytes as hex digits; a file that did not change is read once.

    Parameters
    ----------
    path : Path
    done : bool
        Whether this process wrote the file and is done with it, so that it will not change again at once.
    """
    status = path.stat()
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if key in _known:
        return _known[key]
    settled = done or time.time_ns() - status.st_mtime_ns > _SETTLED
    found = _digest(path)
    if settled:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = found
    return found


def _digest(path: Path) -> str:
    """Read a whole file for its digest."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fsync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is synced and takes the name `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    temporary = temporary_of(path)
    try:
        temporary.touch()
        mode = temporary.stat().st_mode  # as the umask wants it
        yield temporary
        temporary.chmod(mode)  # some writers keep what they write to themselves
        fsync(temporary)
        os.replace(temporary, path)
        fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an ``.npy`` file.

    Raises
    ------
    OSError
        If the disk is full: `numpy.save` by itself says nothing where the last few kilobytes do not fit.
    """
    with path.open("wb") as file:
        np.save(SimpleNamespace(write=file.write), array, allow_pickle=False)


def is_url(path: str | Path) -> bool:
    """Say whether a path is a URL such as ``s3://bucket/texts.parquet``, also where `Path` made one slash of two."""
    return re.match(r"[A-Za-z][\w+.:-]+:/", str(path)) is not None


def expect_local(path: str | Path) -> None:
    """Refuse a URL where files are written: object storage has no names that change in one step.

    Raises
    ------
    ValueError
        If it is one.
    """
    if is_url(path):
        raise ValueError(
            f"{path}: expected a folder to write to, got a URL: write to a folder, and copy it when it is finished "
            "(aws s3 sync, gcloud storage rsync); only stores are written to URLs"
        )


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path`, else nothing is left.

    At every moment `path` is the old folder or the new: where the system cannot exchange two names in one step, the old
    one is found again by `recover`.
    """
    expect_local(path)
    path = Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent)
    recover(path)
    temporary = temporary_of(path)
    remove(temporary)
    temporary.mkdir()
    try:
        yield temporary
        mode = temporary.stat().st_mode & 0o666  # as the umask wants it
        for file in temporary.rglob("*"):
            if file.is_file():
                file.chmod(mode)  # some writers keep what they write to themselves
            fsync(file)
        fsync(temporary)
        _take_place(temporary, path)
        fsync(path.parent)
    finally:
        remove(temporary)


def _take_place(new: Path, path: Path) -> None:
    if not path.exists():
        os.replace(new, path)
    elif not exchange(new, path):
        retired = temporary_of(path, RETIRED)
        remove(retired)
        os.replace(path, retired)
        os.replace(new, path)
        fsync(path.parent)
        remove(retired)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder alone, made where it is missing; where nothing was written into it, it goes again."""
    expect_local(folder)
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.getLogger(__name__).warning("%s is being written by another process: waiting for it", folder)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()
        os.close(handle)
