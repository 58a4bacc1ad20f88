"""Read the records of older versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from projhead.persistence.files import sha256_of

Content = tuple[dict[str, Any], dict[str, dict[str, Any]]]


class Previous(NamedTuple):
    """A former format: its version, and how body and files are found in it."""

    version: int
    read: Callable[[dict[str, Any], Path], Content]


def _artifact(raw: dict[str, Any], folder: Path) -> Content:
    return _without(raw, "sha256"), _marks(folder, {"model.safetensors": raw["sha256"]})


def _codec(raw: dict[str, Any], folder: Path) -> Content:
    file = folder / "codec.safetensors"
    both = (
        f"{json.dumps(_without(raw, 'sha256', more=True), sort_keys=True)} {sha256_of(file) if file.is_file() else ''}"
    )
    if hashlib.sha256(both.encode()).hexdigest() != raw["sha256"]:
        raise ValueError("its sha256 is not that of the record and codec.safetensors")
    return _without(raw, "sha256"), _marks(folder, {file.name: sha256_of(file)})


def _export(raw: dict[str, Any], folder: Path) -> Content:
    return _without(raw, "sha256", "bytes"), _marks(folder, raw["sha256"])


def _index(raw: dict[str, Any], folder: Path) -> Content:
    content = _without(raw, "sha256", more=True)
    if hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest() != raw["sha256"]:
        raise ValueError("its sha256 is not that of its content: it was edited, or cut off")
    return _without(raw, "sha256", "files"), _marks(folder, {f"{raw['data']}/{k}": v for k, v in raw["files"].items()})


def _run(raw: dict[str, Any], folder: Path) -> Content:
    del folder
    return _without(raw), {}


def _store(raw: dict[str, Any], folder: Path) -> Content:
    del folder
    return _without(raw), {}


PREVIOUS = {
    "artifact": Previous(1, _artifact),
    "codec": Previous(1, _codec),
    "export": Previous(1, _export),
    "index": Previous(2, _index),
    "run": Previous(1, _run),
    "store": Previous(1, _store),
}


def _without(raw: dict[str, Any], *names: str, more: bool = False) -> dict[str, Any]:
    """Return a record without some entries, and without what every record has, unless `more`."""
    dropped = set(names) if more else {"format", "version", *names}
    return {name: value for name, value in raw.items() if name not in dropped}


def _marks(folder: Path, digests: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return what records say of files now; sizes, which former ones did not say, are those found."""
    sizes = {name: (folder / name).stat().st_size if (folder / name).is_file() else 0 for name in digests}
    return {name: {"bytes": sizes[name], "sha256": digest} for name, digest in digests.items()}
