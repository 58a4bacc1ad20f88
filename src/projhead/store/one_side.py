"""One side of an encoder, for what knows no sides: a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    identity : EncoderIdentity
        The encoder's own; it names the side where the encoder's two differ and it is not that of documents.
    """

    def __init__(self, encoder: Encoder, side: str) -> None:
        self.encoder, self.side = encoder, side
        self.name, self.dimension = encoder.name, encoder.dimension
        same = side == "document" or not encoder.two_sided
        self.identity = encoder.identity if same else replace(encoder.identity, side=side)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, in the order of `texts`."""
        rows: Vectors = getattr(self.encoder, METHODS[self.side])(texts, show_progress=show_progress)
        return rows
