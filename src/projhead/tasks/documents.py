"""Encode a task's documents, as a store would keep them."""

from __future__ import annotations

from projhead.protocols import Encoder, Storing
from projhead.vectors import Vectors


def stored(encoder: Encoder, rows: Vectors) -> Vectors:
    """Return unit rows (n, d) as the encoder's store would give them back.

    Only an encoder that stores codes changes them. Tasks without a search store one side too: the second sentence of a
    pair, the labeled texts that train, all neighbors of a text.
    """
    return encoder.stored(rows) if isinstance(encoder, Storing) else rows
