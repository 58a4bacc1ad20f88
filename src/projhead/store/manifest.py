"""A store's ``manifest.json``, and what was added since, in ``shards.jsonl``."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from projhead.data import STORED
from projhead.persistence.identity import EncoderIdentity
from projhead.persistence.record import Record, read_record
from projhead.store.side import BOTH, SIDES

DTYPES = ("float16", "float32")
SHARD_FILE = r"data-\d{5,}\.arrow"
#: Where a store's codec lies in it.
FOLDER = "codec"
#: A line for each shard that the manifest of an unfinished store does not name yet.
JOURNAL = "shards.jsonl"


@dataclass(frozen=True)
class Shard:
    """One file of a store.

    Attributes
    ----------
    file : str
    rows, bytes : int
    sha256 : str
        Of the file.
    documents : str
        Digest of the ids and texts in it; empty where that of the whole corpus was known before.
    clipped : int
        Values in it that lay outside the codec's range.
    """

    file: str
    rows: int
    bytes: int
    sha256: str
    documents: str
    clipped: int = 0


@dataclass
class Manifest:
    """What a store holds and where it came from.

    Attributes
    ----------
    encoder : EncoderIdentity
    corpus : dict
        ``name`` and ``fingerprint``, that of all texts in order (empty until complete, where it was not known before).
    dtype : str
        ``"float16"`` or ``"float32"``; of codes, what the codec says.
    shard_rows : int
        Rows of every shard but the last.
    keep_texts : bool
        Whether the texts are in the shards.
    shards : list of Shard
    codec : dict or None
        Of a store of codes: ``name``, ``items`` of a code, ``spec``, and once settled ``sha256`` and ``fitted_to``.
    complete : bool
        Whether the corpus ended; an unfinished store cannot be opened.
    columns : list of str
        What else is stored of every document, in the order of the shards.
    side : {"document", "query", "plain", "both"}
        How the encoder took the texts; ``"both"`` where it takes queries and documents alike.
    spec : dict or None
        What builds the encoder again, None where that cannot be.
    """

    encoder: EncoderIdentity
    corpus: dict[str, str]
    dtype: str
    shard_rows: int
    keep_texts: bool
    shards: list[Shard] = field(default_factory=list)
    complete: bool = False
    codec: dict[str, Any] | None = None
    side: str = BOTH
    columns: list[str] = field(default_factory=list)
    spec: dict[str, Any] | None = None

    @property
    def items(self) -> int:
        """Values of a row as stored."""
        return int(self.encoder.dimension if self.codec is None else self.codec["items"])

    @property
    def clipped(self) -> int:
        """Values that lay outside the codec's range."""
        return sum(shard.clipped for shard in self.shards)

    @property
    def rows(self) -> int:
        """Rows in whole shards."""
        return sum(shard.rows for shard in self.shards)

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``, whole or not at all, with what ``shards.jsonl`` says, which goes."""
        body = {**asdict(self), "encoder": {**self.encoder.record, "spec": self.spec}}
        del body["spec"]
        Record("store", body, {}).write(folder)
        (folder / JOURNAL).unlink(missing_ok=True)

    def add(self, folder: Path, shard: Shard) -> None:
        """Add a shard whose file is written: the first writes the manifest, each later one a line."""
        self.shards.append(shard)
        if len(self.shards) == 1:
            self.write(folder)
        else:
            append_line(folder / JOURNAL, json.dumps(asdict(shard)))

    def fold(self, folder: Path) -> None:
        """Write what ``shards.jsonl`` says into ``manifest.json``, where there is any."""
        if (folder / JOURNAL).exists():
            self.write(folder)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``manifest.json``.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is none; if it is damaged or of another version.
        """
        record = read_record(folder, "store", {"shards"}).body
        try:
            shards = [Shard(**shard) for shard in record["shards"]]
            encoder, spec = EncoderIdentity.of_record(record["encoder"]), record["encoder"]["spec"]
            shards += [] if record["complete"] else _added(folder / JOURNAL, {shard.file for shard in shards})
            manifest = cls(**{**record, "shards": shards, "encoder": encoder, "spec": spec})
            manifest._check()
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"{folder / 'manifest.json'} is damaged: {error}; delete the store and encode again"
            ) from error
        return manifest

    def _check(self) -> None:
        """Raise ValueError, TypeError or KeyError where a file says what `write` never wrote."""
        sizes = [self.encoder.dimension, self.shard_rows, self.items]
        sizes += [size for shard in self.shards for size in (shard.rows, shard.bytes)]
        if not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError("expected positive sizes")
        if not all(type(shard.clipped) is int and shard.clipped >= 0 for shard in self.shards):
            raise ValueError("expected numbers of values that were clipped")
        json.dumps(asdict(self), ensure_ascii=False).encode()  # it is written again where the store is gone on with
        names = [self.corpus["name"], self.corpus["fingerprint"]]
        if self.codec is not None:
            names += [self.codec["name"], self.codec["sha256"], self.codec["fitted_to"]]
            np.dtype(self.dtype)
        elif self.dtype not in DTYPES:
            raise ValueError(f"expected a dtype of {', '.join(DTYPES)}, got {self.dtype!r}")
        if not all(isinstance(name, str) for name in names):
            raise ValueError("expected names as text")
        if not all(isinstance(name, str) and name not in STORED for name in self.columns):
            raise ValueError(f"expected names of other columns, got {self.columns!r:.200}")
        if self.side not in SIDES:
            raise ValueError(f"expected a side of {', '.join(SIDES)}, got {self.side!r}")
        if self.complete and not self.shards:
            raise ValueError("expected at least one shard")
        for shard in self.shards:
            if not re.fullmatch(SHARD_FILE, shard.file):
                raise ValueError(f"expected the file name of a shard, got {shard.file!r}")


def append_line(path: Path, line: str) -> None:
    """Add a line to a file, and wait until it is on the disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
        file.flush()
        os.fsync(file.fileno())


def _added(path: Path, known: set[str]) -> list[Shard]:
    """Return the shards of whole lines that are not known; a line that a killed process left unfinished is none."""
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    shards = [Shard(**json.loads(line)) for line in lines]
    return [shard for shard in shards if shard.file not in known]
