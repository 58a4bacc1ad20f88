"""An encoder that keeps its vectors in stores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from projhead.data import Document
from projhead.protocols import Encoder
from projhead.store.fingerprint import fingerprint
from projhead.store.side import Side, side_of, way_of
from projhead.store.store import EmbeddingStore, store_path
from projhead.store.write import write_store
from projhead.vectors import Vectors
from projhead.vectors.unit import unit_blocks


class Cached:
    """Keep the vectors of every list of texts as a store on disk, as `train` does, found again by fingerprint.

    A store that was opened is not opened, nor are its texts compared, again.

    Parameters
    ----------
    encoder : Encoder
        What encodes.
    root : path
        Folder of the stores.
    show_progress : bool
        Show a bar also where `encode` is not asked to, as tasks do not.
    dtype : {"float16", "float32"}
        Of the vectors on disk.
    """

    def __init__(
        self, encoder: Encoder, root: str | Path, *, show_progress: bool = False, dtype: str = "float16"
    ) -> None:
        self.encoder, self.root, self.show_progress, self.dtype = encoder, Path(root), show_progress, dtype
        self._stores: dict[Path, EmbeddingStore] = {}
        self.name, self.identity, self.dimension = encoder.name, encoder.identity, encoder.dimension
        self.two_sided = encoder.two_sided

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, of texts that ask."""
        return self._rows("query", texts, show_progress)

    def encode_document(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, of texts that are searched."""
        return self._rows("document", texts, show_progress)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        """Return unit rows (n, d), float32, in the order of `texts`."""
        return self._rows("plain", texts, show_progress)

    def _rows(self, side: Side, texts: Sequence[str], show_progress: bool) -> Vectors:
        if not texts:
            return way_of(self.encoder, side_of(self.encoder, side))(texts)
        digest = fingerprint(texts)
        place = store_path(self.root, self.encoder, digest, self.dtype, side)
        if place not in self._stores:
            self._stores[place] = write_store(
                place,
                self.encoder,
                (Document(str(number), text) for number, text in enumerate(texts)),
                name="texts",
                dtype=self.dtype,
                keep_texts=False,
                side=side,
                fingerprint=digest,
                total=len(texts),
                show_progress=show_progress or self.show_progress,
            )
        rows = np.empty((len(texts), self.dimension), np.float32)
        for block, part in unit_blocks(self._stores[place].lazy_rows):
            rows[block] = part
        return rows
