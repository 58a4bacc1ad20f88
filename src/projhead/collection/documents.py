"""The documents of several stores, numbered through them in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from projhead.collection.hit import Hit
from projhead.data import Document
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors


class Documents:
    """Documents by the numbers that an index knows.

    Parameters
    ----------
    stores : sequence of EmbeddingStore
        Row r of the second has number len(first) + r, and so on.
    """

    def __init__(self, stores: Sequence[EmbeddingStore]) -> None:
        self.stores = list(stores)

    def __len__(self) -> int:
        return sum(map(len, self.stores))

    @cached_property
    def ids(self) -> pa.ChunkedArray:
        """The id of every row of every store, where they are in the stores' files."""
        return pa.chunked_array([chunk for store in self.stores for chunk in store.table["id"].chunks])

    def shared(self, ids: pa.ChunkedArray, held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of those documents, among those that an index holds, that have one of the ids."""
        found: NDArray[np.int64] = held[pc.is_in(self.ids, value_set=ids).to_numpy()[held]]
        return found

    def place(self, number: int) -> tuple[EmbeddingStore, int]:
        """Return the store of a row, and its number there.

        Raises
        ------
        ValueError
            If there is no such row.
        """
        for store in self.stores:
            if number < len(store):
                return store, number
            number -= len(store)
        raise ValueError("the index names a row beyond its stores: build it again")

    def numbers(self, ids: Iterable[str], held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of documents among those that an index holds.

        Raises
        ------
        ValueError
            If one is not among them.
        """
        wanted = set(ids)
        known = [name for name in wanted if name.encode("utf-8", "ignore").decode() == name]
        found = self.shared(pa.chunked_array([known], pa.string()), held)
        if missing := sorted(wanted - set(self.ids.take(found).to_pylist())):
            raise ValueError(
                f"documents: {missing[0]!r} is not in the index ({len(missing):,} such); give ids that are"
            )
        return found

    def where(self, conditions: Mapping[str, Any], held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of those that an index holds and that meet conditions."""
        first = np.cumsum([0, *map(len, self.stores)])
        found = [store.where(conditions) + start for store, start in zip(self.stores, first, strict=False)]
        return np.intersect1d(np.concatenate(found), held)

    def hits(self, scores: Vectors, numbers: NDArray[np.int64]) -> list[list[Hit]]:
        """Return what an index found (q, top_k), as documents; number -1 is none."""
        return [list(self._hits(*one)) for one in zip(scores, numbers, strict=True)]

    def _hits(self, scores: Vectors, numbers: NDArray[np.int64]) -> Iterator[Hit]:
        for score, number in zip(scores, numbers, strict=True):
            if number >= 0:
                one = self._document(int(number))
                yield Hit(one.id, float(score), one.text, one.columns)

    def _document(self, number: int) -> Document:
        store, row = self.place(number)
        return store.documents([row])[0]
