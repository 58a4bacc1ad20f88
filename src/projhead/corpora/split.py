"""Which texts are kept apart for testing, where a corpus has no split of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from projhead.protocols import Document

SPLITS = ("train", "test", "all")


def in_test(text: str, fraction: float = 0.1) -> bool:
    """Say whether a text is held out: decided by its own digest, so copies of it are on the same side."""
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


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
