"""From reduced rows back to the teacher's: what each width still knows of a row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from projhead.vectors import Vectors, unit_rows


def through_components(rows: Vectors, components: NDArray[np.float64], mean: NDArray[np.float64] | None) -> Vectors:
    """Return the unit rows (n, d), float32, of the components' span that reduce to `rows`.

    Lengths are lost where rows are made unit length after a projection, but the row looked for is of unit length too:
    that leaves one length, the root of a quadratic. At full width the row comes back as it was.

    Parameters
    ----------
    rows : ndarray of shape (n, k), float32
        Reduced unit rows.
    components : ndarray of shape (k, d), float64
    mean : ndarray of shape (d,), float64, or None
    """
    directions = rows.astype(np.float64) @ np.linalg.pinv(components).T  # (n, d)
    if mean is None:
        return unit_rows(directions, "rows")
    # |mean + s direction| = 1, for the one s above 0: the mean of unit rows is no longer than they are.
    square = np.square(directions).sum(1)
    half = directions @ mean
    root = np.sqrt(half**2 + square * max(1 - mean @ mean, 0.0))
    scale = (root - half) / np.where(square > 0, square, 1)
    return unit_rows(mean + scale[:, None] * directions, "rows")


def least_squares(head: Callable[[Vectors], Vectors], rows: Vectors, held_out: Vectors) -> tuple[Vectors, float]:
    """Return the linear map (k, d), float32, that best rebuilds rows from a head's output, and its error.

    The error is the mean squared distance of a held-out unit row to what is rebuilt of it, at unit length.

    Parameters
    ----------
    head : callable
        From unit rows (n, d) to (n, k).
    rows, held_out : ndarray of shape (n, d), (h, d), float32
        Unit rows.
    """
    reduced = head(rows).astype(np.float64)
    decoder = np.linalg.lstsq(reduced.T @ reduced, reduced.T @ rows, rcond=None)[0].astype(np.float32)
    rebuilt = unit_rows(head(held_out) @ decoder)
    return decoder, float(np.square(held_out - rebuilt).sum(1).mean())
