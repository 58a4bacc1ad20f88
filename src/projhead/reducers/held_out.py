"""Hold out rows of a fit to choose its settings by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.vectors import Vectors, neighbor_overlap, unit_rows

#: Neighbors that count.
TOP_K = 10
_MAX_HELD_OUT = 2000
#: With fewer rows none can be spared.
_MIN_ROWS = 100


def hold_out(rows: NDArray[Any], max_rows: int, seed: int) -> tuple[NDArray[Any], Vectors]:
    """Divide a random choice of rows into those to fit and those to choose by, a fifth and 2,000 at most.

    Parameters
    ----------
    rows : ndarray of shape (n, d), float
        Perhaps memory-mapped.
    max_rows : int
        How many are taken at most.
    seed : int
        Same seed, same choice.

    Returns
    -------
    kept : ndarray of shape (m, d), in the dtype of `rows`
    held_out : ndarray of shape (h, d), float32
        Unit rows; where there are fewer than 100, all of them: better than nothing.
    """
    if len(rows) < _MIN_ROWS:
        return rows, unit_rows(rows)
    order = np.random.default_rng(seed).permutation(len(rows))[:max_rows]
    size = min(len(order) // 5, _MAX_HELD_OUT)
    return rows[np.sort(order[size:])], unit_rows(rows[np.sort(order[:size])])


def held_out_overlap(held_out: Vectors, reduced: Vectors) -> float:
    """Return the share of each held-out row's 10 nearest among them that its reduction keeps, on average."""
    return float(neighbor_overlap(held_out, reduced, [min(TOP_K, len(held_out) - 1)]).mean())
