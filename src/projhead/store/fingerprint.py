"""Digests of texts and documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from projhead.data import Document

#: What a shard's mark begins with where it is one of a `Chain`.
CHAINED = "to:"


def add_text(digest: Any, text: str) -> None:
    """Add a text with its length, so that no two lists of texts read alike."""
    encoded = text.encode("utf-8", "surrogatepass")
    digest.update(len(encoded).to_bytes(8, "big") + encoded)


def fingerprint(texts: Iterable[str]) -> str:
    """Return the digest of texts in order, 64 hex digits."""
    digest = hashlib.sha256()
    for text in texts:
        add_text(digest, text)
    return digest.hexdigest()


def digest_of(documents: Sequence[Document]) -> str:
    """Return the digest of ids, texts and, where there are any, other columns."""
    return fingerprint(part for document in documents for part in _parts(document))


def _parts(document: Document) -> Iterator[str]:
    yield document.id
    yield document.text
    yield from _columns(document)


def _columns(document: Document) -> Iterator[str]:
    if document.columns:
        yield repr(sorted(document.columns.items()))


class Chain:
    """Digests of a stream of documents: of all texts, and of every part by its ids and all texts up to its end.

    So older versions marked shards, which then had to be made one after the other.
    """

    def __init__(self) -> None:
        self._texts = hashlib.sha256()

    def add(self, documents: Sequence[Document]) -> str:
        """Add documents to the chain; return the digest that marks them."""
        for document in documents:
            add_text(self._texts, document.text)
        others = (part for one in documents for part in (one.id, *_columns(one)))
        return CHAINED + fingerprint([*others, self.fingerprint])

    @property
    def fingerprint(self) -> str:
        """The digest of the texts so far, as `fingerprint` returns it."""
        return self._texts.copy().hexdigest()
