"""Write a folder with a record in two ways: in place, under fixed names, or switched.

A switched folder holds data that is written first, and a record that is switched to it in one step:

    index.json         what it is, which data it means, and every file's sha256
    data-00000/        what the backend wrote

Either way a process killed at any moment leaves the old folder or the new.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from projhead.persistence.files import atomic_folder, fsync, locked
from projhead.persistence.leftovers import leftover, remove, temporary_of
from projhead.persistence.record import VERIFIED_BYTES, Record, file_name, holds, read_record

_DATA = r"data-\d{5,}"


def check_place(path: Path, kind: str) -> None:
    """Check that a folder of a kind may be written at `path`.

    Raises
    ------
    FileExistsError
        If something else is there.
    """
    empty = path.is_dir() and not any(path.iterdir())
    if path.exists() and not empty and not holds(path, kind):
        raise FileExistsError(f"{path} exists and is no {kind}: give another path, or remove it")


@contextmanager
def in_place(path: Path, kind: str) -> Iterator[Path]:
    """Yield a temporary folder, to be filled and given its record, that takes the place of an older one at `path`.

    Raises
    ------
    FileExistsError
        If something else is there.
    """
    check_place(path, kind)
    with atomic_folder(path) as folder:
        yield folder


def write_switched(
    path: Path,
    kind: str,
    body: dict[str, Any],
    write: Callable[[Path], None],
    *,
    after: str | None = None,
    replaced: Callable[[Path], None],
) -> str:
    """Write a folder in place of an older one; return the digest of its record.

    Parameters
    ----------
    path : Path
    kind : str
        Such as ``"index"``.
    body : dict
        What the record says; ``data`` is added.
    write : callable
        Writes files into the folder that it is given.
    after : str, optional
        Digest of the record that must still be there: the one that was loaded and changed.
    replaced : callable
        Told of the old data, and of what a kill left half made, before it goes, and once the new is safe.

    Raises
    ------
    ValueError
        If the folder holds something else, or another record than `after`.
    """
    name = file_name(kind)
    with locked(path):
        names = [one.name for one in path.iterdir()]
        unfinished = leftover(rf"{re.escape(name)}|{_DATA}")
        ours = rf"{re.escape(name)}|{_DATA}|{unfinished}"
        if strangers := [one for one in names if not re.fullmatch(ours, one)]:
            raise ValueError(f"{path} is not an {kind}, and not empty ({strangers[0]}): choose another path")
        if after is not None and _said(path / name) != after:
            raise ValueError(f"{path} was written by another process after it was loaded: load it and do it again")
        found = [path / one for one in names if re.fullmatch(_DATA, one)]
        half_made = _unnamed(found, path / name)
        old = [one for one in found if one not in half_made]
        left = [_set_aside(one) for one in half_made]
        folder = path / f"data-{1 + max((int(one.name[5:]) for one in old), default=-1):05d}"
        folder.mkdir()
        try:
            write(folder)
            for file in [*folder.rglob("*"), folder]:
                fsync(file)
            record = Record.of(path, kind, {**body, "data": folder.name}, under=folder).write(path)
        except BaseException:
            remove(folder)
            raise
        for data in [*old, *left]:
            replaced(data)
            remove(data)
        for one in names:
            if re.fullmatch(unfinished, one):
                remove(path / one)
    return record.sha256


def read_switched(path: Path, kind: str, keys: set[str], *, verify: bool | None = None) -> tuple[Record, Path]:
    """Return the record of a folder, and the folder with its data.

    Files are compared with their digests; of folders of more than 1 GB only where `verify` says so.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, or of another version.
    """
    record = read_record(path, kind, {*keys, "data"}, check=False)
    data = record.body["data"]
    if not re.fullmatch(_DATA, str(data)):  # never a folder elsewhere
        raise ValueError(f"{path / file_name(kind)}: expected data in a folder such as data-00000, got {data!r:.50}")
    record.check(path, verify=record.bytes <= VERIFIED_BYTES if verify is None else verify)
    found = {one.relative_to(path).as_posix() for one in (path / data).rglob("*") if one.is_file()}
    if strange := sorted(found - set(record.files)):
        raise ValueError(f"{path / strange[0]} is damaged: {file_name(kind)} does not name it")
    return record, path / data


def _unnamed(data: list[Path], record: Path) -> list[Path]:
    """Return the folders that a record, where it can be read, does not name: a process was killed over them."""
    if not record.is_file():
        return data
    try:
        named = json.loads(record.read_text(encoding="utf-8"))["body"]["data"]
    except (ValueError, LookupError, TypeError):
        return []
    return [one for one in data if one.name != named]


def _set_aside(folder: Path) -> Path:
    """Give the name of a folder free, so that what is written next is called as if nobody had been killed."""
    aside = temporary_of(folder)
    remove(aside)
    return folder.rename(aside)


def _said(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))["sha256"] if file.is_file() else None
