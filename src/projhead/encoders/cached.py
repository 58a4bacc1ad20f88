"""An encoder that encodes the same texts once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from projhead.protocols import Document, Encoder
from projhead.store import fingerprint, store_path, write_store
from projhead.vectors import Vectors, unit_rows


class Cached:
    """Keep the vectors of every list of texts as a store on disk, found again by fingerprint.

    Parameters
    ----------
    encoder : Encoder
        What encodes.
    root : Path
        Folder of the stores.
    """

    def __init__(self, encoder: Encoder, root: Path) -> None:
        self.encoder, self.root = encoder, root
        self.name, self.revision, self.dimension = encoder.name, encoder.revision, encoder.dimension

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, in the order of `texts`."""
        path = store_path(self.root, self.encoder, fingerprint(texts), "float32")
        documents = (Document(str(number), text) for number, text in enumerate(texts))
        store = write_store(
            path, self.encoder, documents, name="texts", dtype="float32", total=len(texts),
            show_progress=show_progress, keep_texts=False,
        )  # fmt: skip
        return unit_rows(store.rows)
