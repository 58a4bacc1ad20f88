"""FAISS indexes of bits, compared by Hamming distance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from projhead.codecs._faiss import write_faiss
from projhead.codecs.base import BaseCodec, load_codec
from projhead.codecs.binary import Binary
from projhead.data import Footprint
from projhead.indexes.base import BaseIndex
from projhead.indexes.faiss_bytes import estimated, measured
from projhead.indexes.ids import Places
from projhead.indexes.rows import sample, unit_blocks
from projhead.protocols import Rows
from projhead.settings.ranges import Count
from projhead.vectors import Vectors

#: Rows that medians, and lists, are learned from.
_FIT_ROWS = 65_536
_FILE = "index.faiss"


class FaissBinaryIndex(BaseIndex):
    """Bits of rows against bits of queries: the fastest and coarsest, a first stage for `RescoreIndex`.

    A row's bits say on which side of the median each value is, as in `Binary`; so do a query's. The score is the
    inner product of both as unit rows of signs, 1 - 2 h / n_bits for a Hamming distance h (Charikar, 2002).

    Parameters
    ----------
    factory : str
        A FAISS factory string of bits: ``"BFlat"``, ``"BIVF1024"``, ``"BHNSW32"``.
    n_bits : int, optional
        As in `Binary`: after a random rotation; where not given, one for each dimension. A multiple of 8 in either
        case.
    nprobe : int, optional
        Lists visited per query; FAISS's default of 1 where not given.

    Attributes
    ----------
    index : faiss.IndexBinary
    codec : Binary
        Fitted, after `build`.
    """

    def __init__(self, factory: str = "BFlat", *, n_bits: Count | None = None, nprobe: Count | None = None) -> None:
        self.factory, self.n_bits, self.nprobe = factory, n_bits, nprobe
        self.index: Any = None

    @property
    def compacts(self) -> bool:  # type: ignore[override]
        """Whether rows after a deleted one take its place: in lists they do not."""
        return not isinstance(self.index, faiss.IndexBinaryIVF)

    def _made(self, dimension: int) -> Any:
        bits = self.n_bits or dimension
        if bits % 8:
            raise ValueError(f"FAISS takes bits by eights, got {bits}: set n_bits to a multiple of 8")
        try:
            return faiss.index_binary_factory(bits, self.factory)
        except RuntimeError as error:
            raise ValueError(f"FAISS refuses the factory string {self.factory!r}: {_reason(error)}") from None

    def _build(self, rows: Rows) -> None:
        index, some = self._made(rows.dimension), sample(rows, _FIT_ROWS)
        codec: BaseCodec = Binary(self.n_bits).fit(some)
        if not index.is_trained:
            index.train(codec.encode(some))
        for block in unit_blocks(rows):
            index.add(codec.encode(block))
        self.index, self.codec = self._tuned(index), codec

    def _tuned(self, index: Any) -> Any:
        if self.nprobe is not None:
            if not isinstance(index, faiss.IndexBinaryIVF):
                raise ValueError(f"{self.factory!r} has no nprobe to set to {self.nprobe}: leave it out")
            index.nprobe = self.nprobe
        return index

    def _add(self, rows: Rows) -> None:
        place = self.ids.n_places
        for block in unit_blocks(rows):
            if self.compacts:
                self.index.add(self.codec.encode(block))
            else:
                self.index.add_with_ids(self.codec.encode(block), np.arange(place, place + len(block)))
            place += len(block)

    def _delete(self, places: Places) -> None:
        try:
            self.index.remove_ids(faiss.IDSelectorBatch(places))
        except RuntimeError:
            raise ValueError(f"FAISS cannot delete from {self.factory!r}: choose BFlat or BIVF") from None

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        if filter_ids is not None:
            raise ValueError(f"{self.factory!r} cannot look among some rows only: choose exact with codec=binary")
        distances, places = self.index.search(self.codec.encode(queries), top_k)
        return (1 - 2 * distances / self.index.d).astype(np.float32), places

    def _write(self, folder: Path) -> None:
        write_faiss(self.index, folder / _FILE)
        self.codec.save(folder / "codec")

    def _read(self, folder: Path) -> None:
        try:
            index = faiss.read_index_binary(str(folder / _FILE))
        except RuntimeError as error:
            raise ValueError(f"{folder / _FILE} is not a FAISS index of bits: {_reason(error)}") from None
        self.index, self.codec = self._tuned(index), load_codec(folder / "codec")

    def _nbytes(self) -> int:
        return measured(self.index) + sum(array.nbytes for array in self.codec.state.values())

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what `n` rows of a width would take; nothing is trained."""
        index = self._made(dimension)
        shared = sum(4 * int(np.prod(shape)) for shape in Binary(self.n_bits)._shapes(dimension).values())
        size = estimated(index, n) + shared
        return Footprint(size, size)


def _reason(error: RuntimeError) -> str:
    return str(error).splitlines()[0]
