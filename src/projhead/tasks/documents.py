"""What a collection keeps of a task's texts."""

from __future__ import annotations

from projhead.protocols import Encoder, Storing
from projhead.vectors import Vectors


def stored(encoder: Encoder, rows: Vectors) -> Vectors:
    """Return an encoder's unit rows (n, d) as they are found in a collection.

    They differ for an encoder that stores its documents in fewer bytes. Tasks without a search keep to the same side of
    things: of a pair of sentences the second is stored, of labeled texts those trained on, of neighborhoods all but the
    text whose they are.
    """
    return encoder.stored(rows) if isinstance(encoder, Storing) else rows
