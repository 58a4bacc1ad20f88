"""Rebuild the teacher's rows from reduced ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, check_is_fitted

from projhead.reducers.head_holder import HeadHolder
from projhead.reducers.held_out import hold_out
from projhead.vectors import Vectors, unit_rows
from projhead.vectors.as_rows import as_rows

#: Rows that a decoder is fitted to, at most.
_DECODED = 20_000


class Invertible(HeadHolder):
    """What knows the way back from reduced rows: by its components, or by a decoder that was fitted.

    Attributes
    ----------
    decoder_ : ndarray of shape (k, d), float32
        Of trained heads.
    reconstruction_error_ : float
        The decoder's mean squared error on held-out rows.
    """

    def inverse_transform(self, X: ArrayLike) -> Vectors:
        """Return unit rows (n, d), float32, for reduced rows (n, k).

        Of closed forms a row that reduces to the one given: at full width the row itself. Of trained heads what least
        squares rebuild, with the mean squared error ``reconstruction_error_``.

        Raises
        ------
        ValueError
            If the width is not that of the reduced rows, values are not finite, or the reducer has no decoder.
        """
        check_is_fitted(self)
        rows = check_array(as_rows(X, "X"), dtype=np.float32)
        if rows.shape[1] != self.n_components_:
            raise ValueError(f"X: expected reduced rows of width {self.n_components_}, got {rows.shape[1]}")
        if hasattr(self, "components_"):
            return through_components(rows, self.components_, getattr(self, "mean_", None))
        if hasattr(self, "decoder_"):
            return unit_rows(rows @ self.decoder_, "rows")
        raise ValueError(
            "expected a head with a decoder, got one that was cut, distilled or trained by an older version: "
            f"fit a new one with n_components={self.n_components_}"
        )

    def _fit_decoder(self, rows: NDArray[Any], seed: int) -> None:
        """Learn the way back of a trained head."""
        kept, held_out = hold_out(rows, _DECODED, seed)
        self.decoder_, self.reconstruction_error_ = least_squares(self._head, unit_rows(kept), held_out)

    def _drop_decoder(self) -> None:
        """Forget the way back of another head."""
        for name in {"decoder_", "reconstruction_error_"} & set(vars(self)):
            delattr(self, name)


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
