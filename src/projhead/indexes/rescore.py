"""Search a cheap index in memory, and rescore its candidates by wider codes on disk."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, load_codec
from projhead.codecs.cast import Cast
from projhead.data import Footprint
from projhead.indexes.base import BaseIndex
from projhead.indexes.codes import codec_for, codes_of, read_codes
from projhead.indexes.ids import Ids, Places
from projhead.persistence.files import write_array
from projhead.protocols import Engine, Rows
from projhead.settings.ranges import Count
from projhead.vectors import Vectors

_CODES = "codes.npy"


class RescoreIndex(BaseIndex):
    """A first index names candidates, wider codes of them decide; only the first is held in memory.

    Wide codes are read from a memory-mapped file, a candidate at a time, which a solid-state disk answers in
    microseconds (rescoring as in FAISS's refinement and in Yamada et al., "Efficient passage retrieval with
    hashing", 2021).

    Parameters
    ----------
    first : BaseIndex
        What names candidates.
    n_candidates : int
        How many, for each query; as many as neighbors asked for where those are more.
    codec : BaseCodec, optional
        The wider code; float16 where not given. The codes of a coded store are taken as they are.
    first_width : int, optional
        Width of the first stage: the first components of each row, made unit length again. For rows whose prefixes
        serve alone (nested heads, Matryoshka teachers).
    """

    def __init__(
        self,
        first: BaseIndex,
        n_candidates: Count = 100,
        codec: BaseCodec | None = None,
        first_width: Count | None = None,
    ) -> None:
        if n_candidates < 1:
            raise ValueError(f"n_candidates: expected a positive number, got {n_candidates}")
        self.first, self.n_candidates, self.codec, self.first_width = first, n_candidates, codec, first_width

    @property
    def compacts(self) -> bool:  # type: ignore[override]
        """Wide codes stay where they are: the first stage knows which rows are left."""
        return False

    def _narrow(self, rows: Rows) -> Rows:
        if self.first_width is None:
            return rows
        if not 0 < self.first_width <= rows.dimension:
            raise ValueError(f"first_width: expected 1 to {rows.dimension}, the width of rows, got {self.first_width}")
        return _Prefix(rows, self.first_width)

    def coded(self, codec: BaseCodec) -> Self:
        """Return this index with rows stored by a codec."""
        self.codec = codec
        return self

    def built_by(self, engine: Engine) -> Self:
        """Return this index with its first stage built by an engine."""
        self.first = self.first.built_by(engine)
        return self

    def _build(self, rows: Rows) -> None:
        stored = codec_for(rows, self.codec or Cast("float16"), given=self.codec is not None)
        self.first.build(self._narrow(rows))
        self.codes, self.stored = _spooled(codes_of(rows, stored)), stored

    def _add(self, rows: Rows) -> None:
        codes = _spooled(itertools.chain([self.codes], codes_of(rows, self.stored)))
        n = len(rows)
        self.first.add(self._narrow(rows), ids=np.arange(self.ids.n_places, self.ids.n_places + n))
        self.codes = codes

    def _delete(self, places: Places) -> None:
        self.first.delete(places)

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        narrow = queries if self.first_width is None else queries[:, : self.first_width]
        _, candidates = self.first.search(narrow, max(top_k, self.n_candidates), filter_ids=filter_ids)
        scores = np.full((len(queries), top_k), -np.inf, np.float32)
        places = np.full((len(queries), top_k), -1, np.int64)
        for row, query in enumerate(queries):
            some = np.sort(candidates[row][candidates[row] >= 0])  # in order of the file
            again = self.stored.decode(np.asarray(self.codes[some])) @ query
            best = np.argsort(-again, kind="stable")[:top_k]
            scores[row, : len(best)], places[row, : len(best)] = again[best], some[best]
        return scores, places

    def _write(self, folder: Path) -> None:
        write_array(folder / _CODES, self.codes)
        self.stored.save(folder / "codec")
        (folder / "first").mkdir()
        self.first._write_all(folder / "first")

    def _read(self, folder: Path) -> None:
        self.stored = load_codec(folder / "codec")
        self.codes = read_codes(folder / _CODES, self.stored, self.ids.n_places, mapped=True)
        self.first.ids = Ids.read(folder / "first", self.ids.n_places)
        self.first.dimension = self.first_width or self.dimension
        self.first._read(folder / "first")

    def _nbytes(self) -> int:
        return int(self.first.nbytes + sum(array.nbytes for array in self.stored.state.values()))

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return what `n` rows of a width would take."""
        codec = self.codec or Cast("float16")
        shared = sum(4 * int(np.prod(shape)) for shape in codec._shapes(dimension).values())
        memory = self.first.footprint(n, self.first_width or dimension).memory + shared
        return Footprint(memory, memory + n * codec.bytes_per_vector(dimension))


class _Prefix:
    """Rows, their first components only."""

    def __init__(self, rows: Rows, dimension: int) -> None:
        self.rows, self.dimension = rows, dimension

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self) -> Iterator[NDArray[Any]]:
        return (block[:, : self.dimension] for block in self.rows.blocks())

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        return self.rows.take(numbers)[:, : self.dimension]


def _spooled(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Join arrays in a file without a name, memory-mapped: together they may be larger than memory."""
    with tempfile.TemporaryFile() as file:
        n = 0
        for part in parts:
            file.write(np.ascontiguousarray(part).data)
            n += len(part)
        file.flush()
        return np.memmap(file, part.dtype, mode="r", shape=(n, *part.shape[1:]))
