"""The lengths of rows made elsewhere, and what they mean for similarity."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from projhead.vectors import unit_rows

#: Rows checked at once.
_BLOCK = 65_536
#: Lengths that differ by a smaller part than this are one length, rounded.
_ROUNDING = 0.02


def lengths_of(rows: NDArray[Any], path: str) -> tuple[float, float]:
    """Return the least and the largest length; refuse what is not (n, d) finite floats with a direction."""
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating) or not rows.size:
        raise ValueError(f"{path}: expected floats of shape (n, d), got {rows.dtype} of shape {rows.shape}")
    least, largest = np.inf, 0.0
    for start in range(0, len(rows), _BLOCK):
        block = np.asarray(rows[start : start + _BLOCK], np.float32)
        directed = unit_rows(block, f"{path}, from row {start:,}").any(axis=1)
        if not directed.all():
            raise ValueError(
                f"{path}: expected rows with a direction, got one that is all zero (row "
                f"{start + int(directed.argmin()):,}); drop or repair such rows"
            )
        lengths = np.linalg.norm(block, axis=1)
        least, largest = min(least, float(lengths.min())), max(largest, float(lengths.max()))
    return least, largest


@cache
def _tell(line: str) -> None:
    """Say something once."""
    tqdm.write(line, file=sys.stderr)


def similarity_of(
    asked: Literal["cosine", "dot"] | None, longest: float | None, least: float, largest: float, path: str
) -> Literal["cosine", "dot"]:
    """Return the similarity of rows; say so where lengths differ and none was given.

    Raises
    ------
    ValueError
        If a longest length is given that means nothing, or that rows exceed.
    """
    if asked is None and largest - least > _ROUNDING * largest:
        _tell(
            f"{path}: lengths of rows from {least:.3g} to {largest:.3g} are left out, as most models compare by "
            "cosine; say encoder.similarity=dot where they count, or =cosine to hear no more of it"
        )
    if longest is not None and (asked != "dot" or not largest <= longest < np.inf):
        raise ValueError(
            f"longest: got {longest:g}, expected "
            + (
                f"at least {largest:.4g}, the longest row of {path}"
                if asked == "dot"
                else "none without similarity=dot"
            )
        )
    return asked or "cosine"
