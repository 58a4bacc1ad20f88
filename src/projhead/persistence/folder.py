"""An index on disk: data that is written first, and a record that is switched to it in one step.

    index.json         what it is, which data it means, and every file's sha256
    data-00000/        what the backend wrote

A process killed at any moment leaves the old record with the old data, or the new with the new.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from projhead.persistence.files import fsync, locked, read_json, sha256_of, write_json

_FORMAT, _VERSION = "projhead-index", 2
_KEYS = {"index", "dimension", "n_places", "about", "data", "files", "sha256"}
_DATA, _LEFTOVER = r"data-\d{5,}", r"\.index\.json\.\d+\.tmp"


def write_folder(
    path: Path,
    record: dict[str, Any],
    write: Callable[[Path], None],
    *,
    after: str | None = None,
    replaced: Callable[[Path], None],
) -> str:
    """Write an index in place of an older one; return the digest of its record.

    Parameters
    ----------
    path : Path
    record : dict
        What the index is.
    write : callable
        Writes files into the folder that it is given.
    after : str, optional
        Digest of the record that must still be there: the one that was loaded and changed.
    replaced : callable
        Told of the old data before it goes, and once the new is safe.

    Raises
    ------
    ValueError
        If the folder holds something else, or another record than `after`.
    """
    with locked(path):
        names = [one.name for one in path.iterdir()]
        strangers = [name for name in names if not re.fullmatch(rf"index\.json|{_DATA}|{_LEFTOVER}", name)]
        if strangers:
            raise ValueError(f"{path} is not an index, and not empty ({strangers[0]}): choose another path")
        if after is not None and _said(path) != after:
            raise ValueError(f"{path} was written by another process after it was loaded: load it and do it again")
        old = [path / name for name in names if re.fullmatch(_DATA, name)]
        folder = path / f"data-{1 + max((int(one.name[5:]) for one in old), default=-1):05d}"
        folder.mkdir()
        try:
            write(folder)
            for file in [*folder.rglob("*"), folder]:
                fsync(file)
            record = {"format": _FORMAT, "version": _VERSION, **record, "data": folder.name, "files": _files(folder)}
            write_json(path / "index.json", {**record, "sha256": _digest(record)})
        except BaseException:
            shutil.rmtree(folder)
            raise
        for one in old:
            replaced(one)
            shutil.rmtree(one)
        for name in names:
            if re.fullmatch(_LEFTOVER, name):
                (path / name).unlink()
    return _digest(record)


def read_folder(path: Path) -> tuple[dict[str, Any], Path]:
    """Return the record of an index, and the folder with its data, every byte checked.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, or of another version.
    """
    file, advice = path / "index.json", "build one with 'projhead index'"
    record = read_json(file, _FORMAT, _VERSION, _KEYS, advice)
    if _digest({key: record[key] for key in record if key != "sha256"}) != record["sha256"]:
        raise ValueError(f"{file} is damaged: its sha256 is not that of its content; {advice}")
    if not re.fullmatch(_DATA, str(record["data"])):  # never a folder elsewhere
        raise ValueError(f"{file}: expected data in a folder such as data-00000, got {record['data']!r:.50}; {advice}")
    folder = path / record["data"]
    found = _files(folder) if folder.is_dir() else {}
    for name in sorted(set(found) | set(record["files"])):
        if found.get(name) != record["files"].get(name):
            raise ValueError(f"{folder / name} is damaged: its sha256 is not the one in {file.name}; {advice}")
    return record, folder


def _files(folder: Path) -> dict[str, str]:
    return {one.relative_to(folder).as_posix(): sha256_of(one) for one in sorted(folder.rglob("*")) if one.is_file()}


def _said(path: Path) -> Any:
    file = path / "index.json"
    return json.loads(file.read_text(encoding="utf-8"))["sha256"] if file.is_file() else None


def _digest(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
