"""Which texts are kept apart for testing, where a corpus has no split of its own."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator

from projhead.data import Document

SPLITS = ("train", "test", "all")


def in_test(text: str, fraction: float = 0.1) -> bool:
    """Say whether a text is held out: decided by its own digest, so copies of it are on the same side."""
    return _digest("", text) < fraction * 2**64


def sample(documents: Iterable[Document], size: int) -> Iterator[Document]:
    """Return `size` of the documents in their order, chosen by their own digests; holds no more than that."""
    # Salted: a sample must not follow the split.
    numbered = heapq.nsmallest(size, enumerate(documents), key=lambda pair: _digest("sample", pair[1].text))
    return (document for _, document in sorted(numbered, key=lambda pair: pair[0]))


def _digest(salt: str, text: str) -> int:
    return int.from_bytes(hashlib.sha256((salt + text).encode("utf-8", "replace")).digest()[:8], "big")


def select(documents: Iterable[Document], split: str, fraction: float) -> Iterator[Document]:
    """Stream the documents of one split.

    Raises
    ------
    ValueError
        If the split is not one of train, test and all.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
    for document in documents:
        if split == "all" or in_test(document.text, fraction) == (split == "test"):
            yield document
