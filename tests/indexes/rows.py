"""Rows as a store yields them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.vectors import Vectors


class Shards:
    """Rows in blocks of 70, float16, as a store's."""

    def __init__(self, rows: Vectors) -> None:
        self.rows, self.dimension = rows.astype(np.float16), rows.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self) -> Iterator[NDArray[Any]]:
        return (self.rows[start : start + 70] for start in range(0, len(self.rows), 70))

    def take(self, numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[Any]:
        return self.rows[np.asarray(numbers)]
