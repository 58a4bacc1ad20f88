"""Which texts of a task are stored and which ask."""

from __future__ import annotations

from collections.abc import Sequence

from projhead.protocols import DocumentEncoder, Encoder
from projhead.vectors import Vectors


def documents_of(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """Return the unit rows (n, d) of texts as they are found in a collection.

    What asks is encoded by `encode`, always; the two differ for an encoder that stores its documents in fewer
    bytes. Tasks without a search keep to the same side of things: of a pair of sentences the second is stored, of
    labeled texts those trained on, of neighborhoods all but the text whose they are.
    """
    return encoder.encode_documents(texts) if isinstance(encoder, DocumentEncoder) else encoder.encode(texts)
