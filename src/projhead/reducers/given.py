"""Check what the fit of a head is given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[Any]


class Given(NamedTuple):
    """What a fit is given: documents, query-like rows or None, and pairs (p, 2) of their numbers."""

    rows: Rows
    queries: Rows | None
    pairs: NDArray[np.int64]

    @property
    def lifted(self) -> bool:
        """Whether the last coordinate keeps documents' lengths: no query has anything there, and documents have."""
        asked = self.queries
        return asked is not None and bool((self.rows[:1, -1] > 0).all()) and not np.any(asked[:, -1])

    @property
    def pool(self) -> Rows:
        """The rows that look for neighbors in training."""
        return self.rows if self.queries is None else self.queries


def checked_pairs(pairs: ArrayLike | None, q: int, n: int) -> NDArray[np.int64]:
    """Return pairs (p, 2) of a query's and a document's number.

    Raises
    ------
    ValueError
        If they are something else, or of numbers that there are not.
    """
    if pairs is None:
        return np.empty((0, 2), np.int64)
    given = np.asarray(pairs)
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise ValueError(
            f"pairs: expected whole numbers (p, 2), of a query and of a document that answers it, got "
            f"shape {given.shape} of {given.dtype}"
        )
    if (given < 0).any() or (given >= [q, n]).any():
        raise ValueError(f"pairs: expected numbers of {q} queries and {n} documents, got some outside")
    return given.astype(np.int64)
