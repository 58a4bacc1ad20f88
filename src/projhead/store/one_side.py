"""One side of an encoder, for what knows no sides: a store."""

from __future__ import annotations

from collections.abc import Sequence

from projhead.protocols import Encoder, OneSided
from projhead.vectors import Vectors

#: How queries, documents and what is neither are encoded.
METHODS = {"query": "encode_query", "document": "encode_document", "plain": "encode"}


class OneSide(OneSided):
    """An encoder all of whose rows are those of one of its sides.

    Parameters
    ----------
    encoder : Encoder
    side : {"query", "document", "plain"}

    Attributes
    ----------
    revision : str
        The encoder's own on the side of documents, which stores are of, and where its sides do not differ.
    """

    def __init__(self, encoder: Encoder, side: str) -> None:
        self.encoder, self.side = encoder, side
        self.name, self.dimension = encoder.name, encoder.dimension
        same = side == "document" or not encoder.two_sided
        self.revision = encoder.revision if same else f"{encoder.revision}-{side}"

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, in the order of `texts`."""
        rows: Vectors = getattr(self.encoder, METHODS[self.side])(texts, show_progress=show_progress)
        return rows
