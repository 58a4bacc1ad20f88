"""What every form of PCA needs of rows, by one pass that all forms share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.reducers.base import blocks
from projhead.reducers.eigen import Matrix, leading
from projhead.vectors import unit_rows

#: Rows of one product: they stay in the processor's cache while they are made unit length.
_BLOCK = 4096
#: Products of fewer multiplications than this are made in float64; in longer ones float32's errors average out.
_EXACT = 4e8


class Spectrum:
    """Sum and Gram matrix of unit rows, of the shorter side, and the principal axes that follow.

    Parameters
    ----------
    rows : ndarray of shape (n, d), float
        Perhaps memory-mapped. With n < d they are kept, and their n x n products take the place of the d x d Gram
        matrix (Turk and Pentland, "Eigenfaces for Recognition", 1991).
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self.n, d = rows.shape
        dtype = np.float64 if self.n * d * min(self.n, d) < _EXACT else np.float32
        self.rows: NDArray[Any] | None = unit_rows(rows, "X").astype(dtype, copy=False) if self.n < d else None
        if self.rows is not None:
            total = self.rows.sum(0, dtype=np.float64)
            self.gram: Matrix = np.matmul(self.rows, self.rows.T).astype(np.float64, copy=False)
        else:
            total, self.gram = np.zeros(d), np.zeros((d, d))
            for _, part in blocks(rows, _BLOCK):
                part = part.astype(dtype, copy=False)
                total += part.sum(0, dtype=np.float64)
                self.gram += part.T @ part
        self.mean: Matrix = total / self.n
        self.source = rows  # held, so that no other array comes to lie in its place in `one_pass`
        self._known: dict[bool, tuple[Matrix, Matrix]] = {}

    @property
    def second_moment(self) -> Matrix:
        """The mean (d, d) of the rows' outer products."""
        gram: Matrix = self.gram if self.rows is None else np.matmul(self.rows.T, self.rows)
        return np.divide(gram, self.n)

    def variance(self, *, center: bool) -> float:
        """Return the variance of all directions together."""
        squares, middle = float(np.trace(self.gram)), float(self.mean @ self.mean)
        total: float = (squares - self.n * middle) / max(self.n - 1, 1) if center else squares / self.n
        return total

    def principal(self, k: int, *, center: bool) -> tuple[Matrix, Matrix]:
        """Return variances (k,), falling, and axes (k, d), the largest entry of each positive."""
        if center not in self._known or len(self._known[center][0]) < k:
            variance, axes = self._wide(k, center) if self.rows is not None else self._tall(k, center)
            largest = np.take_along_axis(axes, np.abs(axes).argmax(1, keepdims=True), axis=1)
            degrees = max(self.n - 1, 1) if center else self.n
            self._known[center] = variance.clip(min=0) / degrees, axes * np.where(largest < 0, -1.0, 1.0)
        variance, axes = self._known[center]
        return variance[:k], axes[:k]

    def _tall(self, k: int, center: bool) -> tuple[Matrix, Matrix]:
        gram = self.gram - self.n * np.outer(self.mean, self.mean) if center else self.gram
        energy, axes = leading(gram, k)
        return energy, axes.T

    def _wide(self, k: int, center: bool) -> tuple[Matrix, Matrix]:
        gram, rows = self.gram, self.rows
        if center:
            each = gram.mean(0)
            gram = gram - each - each[:, None] + each.mean()
        _, weights = leading(gram, k)  # (n, k)
        if center:
            weights = weights - weights.mean(0)
        # A direction without variance becomes one at right angles to the others.
        axes, triangle = np.linalg.qr(rows.T.astype(np.float64, copy=False) @ weights)  # type: ignore[union-attr]
        return np.diagonal(triangle) ** 2, axes.T


_shared: ContextVar[dict[Any, Spectrum] | None] = ContextVar("spectra", default=None)


@contextmanager
def one_pass() -> Iterator[None]:
    """Let all fits in this block share one pass over the same array, which must not change meanwhile."""
    if _shared.get() is not None:
        yield
        return
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def spectrum(rows: NDArray[Any]) -> Spectrum:
    """Return the spectrum of rows (n, d): the one that is known, in a block of `one_pass`."""
    known = _shared.get()
    if known is None:
        return Spectrum(rows)
    memory = rows.__array_interface__
    key = (memory["data"][0], rows.shape, rows.strides, rows.dtype.str)
    if key not in known:
        known[key] = Spectrum(rows)
    return known[key]
