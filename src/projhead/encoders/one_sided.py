"""The base of encoders that treat queries and documents alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from projhead.vectors import Vectors


class OneSided:
    """Base of encoders that treat queries and documents alike: a subclass defines `encode` alone."""

    two_sided = False
    encode: Callable[..., Vectors]

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return the rows of `encode`."""
        return self.encode(texts, show_progress=show_progress)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return the rows of `encode`."""
        return self.encode(texts, show_progress=show_progress)
