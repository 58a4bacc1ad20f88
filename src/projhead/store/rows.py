"""The rows of a store as one array that no memory has to hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.vectors.lazy import LazyRows

#: Codes decoded at once.
DECODED = 8192


class StoredRows(LazyRows):
    """The rows of all shards, in their order; codes are decoded as they are read.

    Parameters
    ----------
    shards : sequence of ndarray of shape (rows, items)
        What is stored, memory-mapped.
    dimension : int
        Width of the rows.
    codec : BaseCodec, optional
        What wrote the codes.
    """

    def __init__(self, shards: Sequence[NDArray[Any]], dimension: int, codec: BaseCodec | None = None) -> None:
        self.shards, self.codec = list(shards), codec
        self._ends = np.cumsum([len(shard) for shard in self.shards])
        super().__init__(int(self._ends[-1]), dimension, np.dtype(np.float32) if codec else self.shards[0].dtype)

    def _between(self, start: int, stop: int) -> NDArray[Any]:
        parts = []
        for shard, end in zip(self.shards, self._ends, strict=True):
            first = end - len(shard)
            if (part := shard[max(start - first, 0) : max(stop - first, 0)]).size:
                parts.append(self._decoded(part))
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, self.shape[1]), self.dtype), *parts])

    def _taken(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        taken, of = np.empty((len(numbers), self.shape[1]), self.dtype), np.searchsorted(self._ends, numbers, "right")
        for number in np.unique(of):
            shard, mine = self.shards[number], of == number
            taken[mine] = self._decoded(shard[numbers[mine] - (self._ends[number] - len(shard))])
        return taken

    def _decoded(self, stored: NDArray[Any]) -> NDArray[Any]:
        if self.codec is None:
            return stored
        rows = np.empty((len(stored), self.shape[1]), np.float32)
        for start in range(0, len(stored), DECODED):
            rows[start : start + DECODED] = self.codec.decode(stored[start : start + DECODED].copy())
        return rows
