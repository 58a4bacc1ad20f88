"""An encoder that encodes a list of texts once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from projhead.protocols import DocumentEncoder, Encoder
from projhead.vectors import Vectors


class Remembered:
    """Keep the rows of every list of texts in memory, until told to forget.

    A list is known by its identity: one that is made anew is encoded anew, and one that was asked for must not be
    changed. Rows are shared, to be read only. In all else it is the encoder itself.

    Parameters
    ----------
    encoder : Encoder
        What encodes.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.name, self.revision, self.dimension = encoder.name, encoder.revision, encoder.dimension
        self.forget()

    def __getattr__(self, name: str) -> Any:
        if name == "encoder":  # not there yet
            raise AttributeError(name)
        return getattr(self.encoder, name)

    def forget(self) -> None:
        """Let go of all rows."""
        self._known: dict[tuple[str, int], tuple[Sequence[str], Vectors]] = {}

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, in the order of `texts`."""
        key = ("encode", id(texts))
        if key not in self._known:  # the list is held, so that its identity stays its own
            self._known[key] = texts, self.encoder.encode(texts, show_progress=show_progress)
        return self._known[key][1]

    def encode_documents(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, of texts that are stored."""
        if not isinstance(self.encoder, DocumentEncoder):
            return self.encode(texts, show_progress=show_progress)
        key = ("encode_documents", id(texts))
        if key not in self._known:
            self._known[key] = texts, self.encoder.encode_documents(texts, show_progress=show_progress)
        return self._known[key][1]
