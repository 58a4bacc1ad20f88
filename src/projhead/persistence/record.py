"""The record of a folder: one JSON file with digests of itself and of every file.

    {"format": "projhead-artifact", "version": 3, "body": {...},
     "files": {"model.safetensors": {"bytes": 98304, "sha256": ...}}, "sha256": ...}

A record that was edited is refused, and so is a file that is not the one it names. The card is nobody's but its
reader's: people write in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from projhead.persistence.files import sha256_of, write_json
from projhead.persistence.leftovers import recover
from projhead.persistence.previous import PREVIOUS

VERSION = 3
#: What is this large, or smaller, is read whole whenever it is opened: about a second.
VERIFIED_BYTES = 1_000_000_000
CARD = "README.md"
#: The file of a kind's record, where it is not called after the kind.
_NAMES = {"artifact": "config.json", "store": "manifest.json", "run": "settings.json"}
#: What to do where there is none, or a damaged one.
_ADVICE = {
    "artifact": "name the folder of one, or train again",
    "codec": "name the folder of one, or fit and save it again",
    "encoder": "train the student again",
    "export": "export again with 'projhead export'",
    "index": "build one with 'projhead index'",
    "run": "give the run's settings again to go on with it",
    "store": "write one into a new folder with 'projhead encode'",
}


@dataclass(frozen=True)
class Record:
    """What is in a folder, and where it came from.

    Attributes
    ----------
    kind : str
        Such as ``"artifact"``.
    body : dict
        What it says, as JSON.
    files : dict of str to dict
        ``bytes`` and ``sha256`` of each file, by its path in the folder.
    """

    kind: str
    body: dict[str, Any]
    files: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, folder: Path, kind: str, body: dict[str, Any], under: Path | None = None) -> Record:
        """Describe all files in a folder, or in one `under` it, but for the card."""
        left_out = {folder / file_name(kind), folder / CARD}
        files = sorted(one for one in (under or folder).rglob("*") if one.is_file() and one not in left_out)
        return cls(kind, body, {one.relative_to(folder).as_posix(): _mark(one) for one in files})

    @property
    def bytes(self) -> int:
        """Bytes of all files together; what is there under two names counts once."""
        return sum({mark["sha256"]: mark["bytes"] for mark in self.files.values()}.values())

    @property
    def sha256(self) -> str:
        """Digest of the record itself."""
        return _digest(self._content())

    def write(self, folder: Path) -> Record:
        """Write it, whole or not at all."""
        write_json(folder / file_name(self.kind), {**self._content(), "sha256": self.sha256})
        return self

    def _content(self) -> dict[str, Any]:
        return {"format": f"projhead-{self.kind}", "version": VERSION, "body": self.body, "files": self.files}

    def check(self, folder: Path, *, verify: bool = True) -> None:
        """Compare the size of every file, and its digest unless told otherwise; what did not change is not read again.

        Raises
        ------
        ValueError
            If one is missing or altered.
        """
        for name, mark in self.files.items():
            file = folder / name
            same = file.is_file() and file.stat().st_size == mark["bytes"]
            if not same or (verify and sha256_of(file) != mark["sha256"]):
                raise ValueError(
                    f"{folder / name} is missing or altered, and the {self.kind} damaged: its sha256 is not the one in "
                    f"{file_name(self.kind)}; {_ADVICE[self.kind]}"
                )


def file_name(kind: str) -> str:
    """Return the name of the file that holds a kind's record."""
    return _NAMES.get(kind, f"{kind}.json")


def holds(folder: Path, kind: str) -> bool:
    """Say whether there is a record of a kind in a folder, whole or not."""
    try:
        raw = json.loads((folder / file_name(kind)).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(raw, dict) and raw.get("format") == f"projhead-{kind}"


def read_record(folder: Path, kind: str, keys: Collection[str], *, check: bool = True) -> Record:
    """Read the record in a folder, and compare the folder's files with it.

    Parameters
    ----------
    folder : Path
    kind : str
    keys : collection of str
        What must be in its body.
    check : bool
        Compare the files; where not, only the record's own digest is compared.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is damaged, altered or of another version, or a file is missing or altered.
    """
    recover(folder)
    path, advice = folder / file_name(kind), _ADVICE[kind]
    if not path.is_file():
        raise FileNotFoundError(f"no {kind} in {folder}: expected {path}; {advice}")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}; {advice}") from error
    if not isinstance(raw, dict) or raw.get("format") != f"projhead-{kind}":
        raise ValueError(f"{path} is damaged: expected a record of format 'projhead-{kind}'; {advice}")
    try:
        body, files = _content_of(raw, kind, folder)
        record = Record(kind, body, _checked(files))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}; {advice}") from error
    if missing := set(keys) - set(record.body):
        raise ValueError(f"{path} is damaged: expected the keys {sorted(missing)}, which are missing; {advice}")
    if check:
        record.check(folder)
    return record


def _content_of(raw: dict[str, Any], kind: str, folder: Path) -> tuple[Any, Any]:
    """Return body and files of a record of this version, or of the one before."""
    version, previous = raw.get("version"), PREVIOUS.get(kind)
    if previous is not None and version == previous.version:
        return previous.read(raw, folder)
    if version != VERSION:
        raise ValueError(f"expected version {VERSION}, got {version!r:.50}; use the projhead that wrote it")
    if _digest({key: value for key, value in raw.items() if key != "sha256"}) != raw["sha256"]:
        raise ValueError("its sha256 is not that of its content: it was edited, or cut off")
    return raw["body"], raw["files"]


def _checked(files: Any) -> dict[str, dict[str, Any]]:
    for name, mark in files.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ValueError(f"expected files inside the folder, got {name!r}: refused")
        if type(mark["bytes"]) is not int or not isinstance(mark["sha256"], str):
            raise ValueError(f"expected bytes and sha256 of {name}, got {mark!r:.80}")
    return dict(files)


def _mark(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path, done=True)}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
