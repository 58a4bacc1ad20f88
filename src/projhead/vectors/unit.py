"""Unit rows.

Rows are of unit length everywhere in projhead, so the inner product is the cosine and higher is better.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from projhead.vectors.as_rows import as_rows

Vectors = NDArray[np.float32]

#: Rows worked on at once: bounds memory on memory-mapped input.
_BLOCK = 16_384


def unit_rows(x: ArrayLike, name: str = "vectors", first: int = 0) -> Vectors:
    """Return `x` as float32 rows of unit length.

    Parameters
    ----------
    x : array-like of shape (n, d), any float or integer dtype
        Tensors and columns of lists too, see `projhead.vectors.as_rows`.
    name : str
        What the rows are, for the error.
    first : int
        The number of the first, for the error.

    Returns
    -------
    ndarray of shape (n, d), float32
        Rows that are all zero stay zero: they have no direction.

    Raises
    ------
    ValueError
        If `x` is not two-dimensional or holds NaN or infinity.
    """
    rows = np.asarray(as_rows(x, name), dtype=np.float32)
    if rows.ndim != 2:
        raise ValueError(f"{name}: expected 2 dimensions (n, d), got shape {rows.shape}")
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        bad = first + int(np.flatnonzero(~np.isfinite(norms[:, 0]))[0])
        raise ValueError(f"{name}: expected finite values, got NaN or infinity (first in row {bad}); drop such rows")
    norms[norms == 0] = 1
    unit: Vectors = rows / norms
    return unit


def unit_blocks(rows: NDArray[Any], name: str = "vectors") -> Iterator[tuple[slice, Vectors]]:
    """Yield (which rows, those rows at unit length as float32), block by block."""
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, min(start + _BLOCK, len(rows)))
        yield block, unit_rows(rows[block], name, start)


def expect_finite(rows: NDArray[Any], name: str = "vectors") -> None:
    """Check that rows (n, d) hold numbers, block by block.

    Raises
    ------
    ValueError
        If there is NaN or infinity.
    """
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK].astype(np.float32, copy=False)
        with np.errstate(all="ignore"):
            squares = np.vecdot(part, part)
        if not np.isfinite(squares).all():
            unit_rows(part, name, start)  # tells which
