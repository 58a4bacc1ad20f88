"""Stores of fifty texts, and an encoder that can fail or end the process in the middle of them."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from projhead.data import Document
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.store.write import write_store
from projhead.vectors import Vectors, unit_rows

WIDTH = 16


class Hashing(OneSided):
    """A text's digest as its vector; can end the process, or fail, after so many texts."""

    name, dimension = "hashing", WIDTH

    def __init__(self, revision: str = "0123456789abcdef", fail_after: float = np.inf, kill: bool = False) -> None:
        self.identity = EncoderIdentity(self.name, revision, self.dimension)
        self._fail_after, self.kill, self.done = fail_after, kill, 0

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        self.done += len(texts)
        if self.done > self._fail_after:
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("interrupted")
        digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest()[:WIDTH] for text in texts]
        return unit_rows(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, WIDTH).astype(np.float32) - 127.3)


DOCUMENTS = [Document(f"id {i}", f"text {i} ünï " + "x" * (i % 7)) for i in range(50)]
TEXTS = [document.text for document in DOCUMENTS]


def write(path: Path, encoder: Hashing | None = None, documents: Sequence[Document] = DOCUMENTS, **options: object):
    options = {"name": "docs", "shard_rows": 20, **options}
    return write_store(path, encoder or Hashing(), iter(documents), **options)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
