"""Exhaustive search over rows, or over codes of a codec."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, load_codec
from projhead.codecs.cast import Cast
from projhead.data import Footprint
from projhead.indexes.base import BaseIndex
from projhead.indexes.codes import codec_for, codes_of, gathered, read_codes
from projhead.indexes.ids import Places
from projhead.indexes.rows import block_rows
from projhead.persistence.files import write_array
from projhead.protocols import Rows, ScoringCodec
from projhead.vectors import Vectors, exact_top_k

#: Queries compared at once with a block.
_QUERIES = 1024


class ExactIndex(BaseIndex):
    """Every row compared with every query: float queries, and rows as a codec brings them back, block by block.

    Parameters
    ----------
    codec : BaseCodec, optional
        How rows are stored; float32 where not given. A copy is fitted to at most 16,384 of them, chosen at random,
        unless it was fitted before. The codes of a coded store are taken as they are.

    Attributes
    ----------
    stored : BaseCodec
        The fitted codec, after `build`.
    """

    compacts = True
    #: Of an index of one block, once it was searched.
    _decoded: Vectors | None = None

    def __init__(self, codec: BaseCodec | None = None) -> None:
        self.codec = codec

    def coded(self, codec: BaseCodec) -> Self:
        """Return this index with rows stored by a codec."""
        self.codec = codec
        return self

    def _build(self, rows: Rows) -> None:
        stored = codec_for(rows, self.codec or Cast("float32"), given=self.codec is not None)
        self.codes = gathered(len(rows), codes_of(rows, stored))
        self.stored, self._decoded = stored, None

    def _add(self, rows: Rows) -> None:
        self._decoded = None
        n = len(self.codes) + len(rows)
        self.codes = gathered(n, itertools.chain([self.codes], codes_of(rows, self.stored)))

    def _delete(self, places: Places) -> None:
        self._decoded = None
        self.codes = np.delete(self.codes, places, axis=0)

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        scores = np.full((len(queries), top_k), -np.inf, np.float32)
        places = np.full((len(queries), top_k), -1, np.int64)
        for chosen, codes in self._blocks(filter_ids):
            rows = self._rows(codes, whole=filter_ids is None and len(codes) == len(self.codes))
            for start in range(0, len(queries), _QUERIES):
                part = slice(start, start + _QUERIES)
                best, where = self._best(queries[part], rows, top_k)
                both = np.concatenate([scores[part], best], axis=1)
                order = np.argsort(-both, axis=1, kind="stable")[:, :top_k]
                scores[part] = np.take_along_axis(both, order, axis=1)
                places[part] = np.take_along_axis(np.concatenate([places[part], chosen[where]], axis=1), order, axis=1)
        return scores, places

    def _blocks(self, filter_ids: Places | None) -> Iterator[tuple[Places, NDArray[Any]]]:
        n, size = len(self.codes) if filter_ids is None else len(filter_ids), block_rows(self.dimension)
        for start in range(0, n, size):
            chosen = np.arange(start, min(start + size, n)) if filter_ids is None else filter_ids[start : start + size]
            yield chosen, self.codes[start : start + size] if filter_ids is None else self.codes[chosen]

    def _rows(self, codes: NDArray[Any], *, whole: bool) -> NDArray[Any]:
        """Return what `_best` compares: rows, decoded once where the `whole` index is one block, as a search holds."""
        if _plain(self.stored) or isinstance(self.stored, ScoringCodec):
            return codes
        if not whole:
            again: Vectors = self.stored.decode(codes)
            return again
        if self._decoded is None:
            self._decoded = self.stored.decode(codes)
        return self._decoded

    def _best(self, queries: Vectors, rows: NDArray[Any], top_k: int) -> tuple[Vectors, Places]:
        codec = self.stored
        if isinstance(codec, ScoringCodec):
            best = torch.topk(torch.from_numpy(codec.similarities(queries, rows)), min(top_k, len(rows)))
            return best.values.numpy(), best.indices.numpy()
        return exact_top_k(queries, rows, top_k)

    def _write(self, folder: Path) -> None:
        write_array(folder / "codes.npy", self.codes)
        self.stored.save(folder / "codec")

    def _read(self, folder: Path) -> None:
        self.stored, self._decoded = load_codec(folder / "codec"), None
        self.codes = read_codes(folder / "codes.npy", self.stored, self.ids.n_places)

    def _nbytes(self) -> int:
        return int(self.codes.nbytes + sum(array.nbytes for array in self.stored.state.values()))

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return the bytes of `n` rows of a width: their codes and the codec's state."""
        codec = self.codec or Cast("float32")
        shared = sum(4 * int(np.prod(shape)) for shape in codec._shapes(dimension).values())
        size = n * codec.bytes_per_vector(dimension) + shared
        return Footprint(size, size)


def _plain(codec: BaseCodec) -> bool:
    """Whether codes are the rows themselves."""
    return isinstance(codec, Cast) and codec.dtype == "float32"
