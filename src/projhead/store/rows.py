"""The rows of a store as one array that no memory has to hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.vectors.lazy import JoinedRows

#: Codes decoded at once.
DECODED = 8192


class StoredRows(JoinedRows):
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
        super().__init__(shards)
        self.codec = codec
        if codec is not None:
            self.shape, self.dtype = (len(self), dimension), np.dtype(np.float32)

    def _rows(self, read: NDArray[Any]) -> NDArray[Any]:
        if self.codec is None:
            return read
        rows = np.empty((len(read), self.shape[1]), np.float32)
        for start in range(0, len(read), DECODED):
            rows[start : start + DECODED] = self.codec.decode(read[start : start + DECODED].copy())
        return rows
