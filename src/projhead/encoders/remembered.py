"""An encoder that remembers what it encoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from projhead.protocols import Encoder
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
        self.name, self.identity, self.dimension = encoder.name, encoder.identity, encoder.dimension
        self.two_sided = encoder.two_sided
        self.forget()

    def __getattr__(self, name: str) -> Any:
        if name == "encoder":  # not there yet
            raise AttributeError(name)
        return getattr(self.encoder, name)

    def forget(self) -> None:
        """Let go of all rows."""
        self._known: dict[tuple[str, int], tuple[Sequence[str], Vectors]] = {}

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, of texts that ask, in the order of `texts`."""
        return self._rows("query", self.encoder.encode_query, texts, show_progress)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, of texts that are searched, in the order of `texts`."""
        return self._rows("document", self.encoder.encode_document, texts, show_progress)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, of texts of no side, in the order of `texts`."""
        return self._rows("plain", self.encoder.encode, texts, show_progress)

    def _rows(self, side: str, encode: Callable[..., Vectors], texts: Sequence[str], show_progress: bool) -> Vectors:
        key = (side if self.two_sided else "plain", id(texts))
        if key not in self._known:  # the list is held, so that its identity stays its own
            self._known[key] = texts, encode(texts, show_progress=show_progress)
        return self._known[key][1]
