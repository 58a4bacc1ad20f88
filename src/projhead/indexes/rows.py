"""Read the rows of an index block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from projhead.protocols import Rows
from projhead.vectors import Vectors, unit_rows
from projhead.vectors.as_rows import as_rows
from projhead.vectors.lazy import LazyRows

#: Values held at once as float32: 64 MB.
_BLOCK = 1 << 24


class ArrayRows:
    """An array of rows (n, d), float, as `Rows`; lazy ones are read block by block."""

    def __init__(self, array: ArrayLike) -> None:
        lazy = isinstance(array, LazyRows)
        self.array = cast("NDArray[Any]", array) if lazy else np.asarray(as_rows(array, "rows"))
        if self.array.ndim != 2 or not self.array.shape[1]:
            raise ValueError(f"rows: expected 2 dimensions (n, d), got shape {self.array.shape}")
        self.dimension = int(self.array.shape[1])

    def __len__(self) -> int:
        return len(self.array)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all rows."""
        yield self.array

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        """Return some rows by their numbers."""
        taken: NDArray[Any] = self.array[np.asarray(numbers, np.int64)]
        return taken


def rows_of(given: Rows | ArrayLike) -> Rows:
    """Return a store, or anything else that yields blocks, as it is; an array as `Rows`."""
    return given if isinstance(given, Rows) else ArrayRows(given)


def unit_blocks(rows: Rows) -> Iterator[Vectors]:
    """Yield all rows as float32 of unit length, at most 64 MB at once.

    Raises
    ------
    ValueError
        If a row holds NaN or infinity; its number among all is named.
    """
    first, size = 0, block_rows(rows.dimension)
    for block in rows.blocks():
        for start in range(0, len(block), size):
            part = np.asarray(block[start : start + size], np.float32)
            yield unit_rows(part, "rows", first)
            first += len(part)


def block_rows(dimension: int) -> int:
    """Return how many rows of a width make a block."""
    return max(_BLOCK // dimension, 1)


def sample(rows: Rows, n: int) -> Vectors:
    """Return at most `n` unit rows, chosen at random, always the same, in order."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:n])
    unit, size = np.empty((len(chosen), rows.dimension), np.float32), block_rows(rows.dimension)
    for start in range(0, len(chosen), size):
        unit[start : start + size] = unit_rows(rows.take(chosen[start : start + size]), "rows", start)
    return unit
