"""Stores and codecs in object storage, copied file by file into the user's cache."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from projhead.console.progress import progress
from projhead.corpora.remote import reached, system_of
from projhead.persistence.cache import user_cache
from projhead.persistence.files import atomic_file, locked, sha256_of
from projhead.persistence.record import file_name, read_record
from projhead.store.manifest import FOLDER, Manifest

#: Copies a file of the store, by its path there, to a path here.
_Copy = Callable[[str, Path], None]


def fetched(url: str) -> Path:
    """Return a folder with the store at a URL, whose files were compared with their digests as they came.

    It lies in the user's cache under the digest of the store's manifest: what is there already is not copied again, and
    a copy that was interrupted goes on at the last whole shard.

    Raises
    ------
    FileNotFoundError
        If no store is there.
    ModuleNotFoundError, OSError
        If what talks to such a server is not installed; if it does not answer.
    ValueError
        If the store is unfinished or damaged.
    """
    with _copied(url, "store", "copy the whole folder that 'encode' wrote") as (folder, copy):
        manifest = Manifest.read(folder)
        if not manifest.complete:
            raise ValueError(f"{url} is unfinished: run the same encode again to go on, or copy it there again")
        _fill(folder, manifest, copy)
    return folder


def fetched_codec(url: str) -> Path:
    """Return a folder with the codec at a URL, whose files were compared with their digests as they came.

    Raises
    ------
    FileNotFoundError
        If no codec is there.
    ModuleNotFoundError, OSError
        If what talks to such a server is not installed; if it does not answer.
    ValueError
        If it is damaged.
    """
    with _copied(url, "codec", "name the folder of one, such as <store>/codec") as (folder, copy):
        _take_files(folder, "", copy)
    return folder


@contextmanager
def _copied(url: str, kind: str, advice: str) -> Iterator[tuple[Path, _Copy]]:
    """Yield a folder of the cache that holds the record at a URL, for this process alone, and what copies the rest."""
    system, root = system_of(url)
    name = file_name(kind)

    def copy(file: str, here: Path) -> None:
        with reached(f"{url}/{file}"):
            system.get_file(f"{root}/{file}", str(here))

    with reached(url):
        said: bytes | None = system.cat_file(f"{root}/{name}") if system.isfile(f"{root}/{name}") else None
    if said is None:
        raise FileNotFoundError(f"no {kind} at {url}: expected {url}/{name}; {advice}")
    folder = user_cache(f"{kind}s") / hashlib.sha256(said).hexdigest()[:32]
    with locked(folder):
        with atomic_file(folder / name) as temporary:
            temporary.write_bytes(said)
        yield folder, copy


def _fill(folder: Path, manifest: Manifest, copy: _Copy) -> None:
    """Copy what a store's folder lacks."""
    if manifest.codec is not None:
        record = f"{FOLDER}/{file_name('codec')}"
        _take(folder, record, manifest.codec["sha256"], copy)
        _take_files(folder, f"{FOLDER}/", copy)
    with progress(manifest.rows, "fetch", shown=sys.stderr.isatty(), unit="row") as bar:
        for shard in manifest.shards:
            _take(folder, shard.file, shard.sha256, copy, shard.bytes)
            bar.update(shard.rows)


def _take_files(folder: Path, below: str, copy: _Copy) -> None:
    """Copy the files that a codec's record names."""
    for name, mark in read_record(folder / below, "codec", (), check=False).files.items():
        _take(folder, f"{below}{name}", mark["sha256"], copy)


def _take(folder: Path, name: str, sha256: Any, copy: _Copy, size: int | None = None) -> None:
    """Copy a file unless it is there; of shards the size tells, which were compared when they came."""
    file = folder / name
    if file.is_file() and (sha256_of(file) == sha256 if size is None else file.stat().st_size == size):
        return
    with atomic_file(file) as temporary:
        copy(name, temporary)
        if sha256_of(temporary) != sha256:
            raise ValueError(f"{name}, as it came, is damaged: its sha256 is not the manifest's; copy it there again")
