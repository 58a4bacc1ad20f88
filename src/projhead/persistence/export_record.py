"""What an export folder says about itself, in ``export.json``: where it comes from, and the digest of each file."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from projhead.persistence.files import read_json, sha256_of, write_json

NAME = "export.json"
_FORMAT = "projhead-export"
_VERSION = 1
#: Not held to its digest: people write in it.
_CARD = "README.md"


def write_record(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Write ``export.json`` and return it: `record`, projhead's version, size and digest of every file but the card."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in (folder / NAME, folder / _CARD))
    whole = {
        "format": _FORMAT,
        "version": _VERSION,
        "projhead": version("projhead"),
        **record,
        "bytes": sum(path.stat().st_size for path in files),
        "sha256": {path.relative_to(folder).as_posix(): sha256_of(path) for path in files},
    }
    write_json(folder / NAME, whole)
    return whole


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``export.json`` and check every file against it.

    Raises
    ------
    FileNotFoundError
        If there is no record.
    ValueError
        If it is damaged or of another version, or a file is missing or altered.
    """
    path = folder / NAME
    record = read_json(path, _FORMAT, _VERSION, {"sha256"}, "write one with 'projhead export'")
    if not isinstance(record["sha256"], dict):
        raise ValueError(
            f"{path} is damaged: expected a sha256 for each file, got {record['sha256']!r:.50}; export again"
        )
    for name, digest in record["sha256"].items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"{path}: expected files inside the folder, got {name!r}: refused")
        if not (folder / name).is_file() or sha256_of(folder / name) != digest:
            raise ValueError(
                f"{folder / name} is missing or altered: its sha256 is not the one in {path}; export again"
            )
    return record
