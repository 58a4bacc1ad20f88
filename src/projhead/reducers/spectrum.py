"""One pass over the rows that all forms of PCA share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from projhead.reducers.eigen import Matrix, leading, orthonormal
from projhead.reducers.krylov import Krylov, first_look
from projhead.vectors import Vectors, unit_rows

#: Rows of one product.
_BLOCK = 16_384
#: Products of fewer multiplications than this are made in float64; in longer ones float32's errors average out.
_EXACT = 3e7
#: So few are made by one thread, as small decompositions are: to share them out takes longer.
_ALONE = 1e8
#: Errors of products of unit axes that one step of Newton's (Bjorck and Bowie, 1971) takes to their square.
_NEARLY = 1e-4
#: Up to this shorter side all is decomposed, by one pass over the rows.
_SMALL = 512


class Spectrum:
    """Mean and principal axes of unit rows, found once for all forms of PCA.

    What is cheapest of three is done: the Gram matrix of the shorter side (with n < d the n x n one; Turk and Pentland,
    "Eigenfaces for Recognition", 1991) and LAPACK; its Krylov space; or the Krylov space of the rows themselves, whose
    Gram matrix is never formed.

    Parameters
    ----------
    rows : ndarray of shape (n, d), float
        Perhaps memory-mapped. With n < d they are kept.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self.n, self.d = rows.shape
        self.source = rows  # held, so that nothing else comes to lie in its place in `one_pass`
        exact = self.n * self.d * min(self.n, self.d) < _EXACT
        self._dtype = np.float64 if exact else np.float32
        self._wide: NDArray[Any] | None = _unit(rows[:]).astype(self._dtype, copy=False) if self.n < self.d else None
        self._krylov: Krylov | None = None
        self._known: dict[bool, tuple[Matrix, Matrix]] = {}
        #: By centering: of the variance along the axes that were found, the share that the best may have beyond it.
        self.missed: dict[bool, float] = {}

    @cached_property
    def _sums(self) -> tuple[Matrix, float]:
        """The sum of the rows (d,), and of their squares: how many have a direction."""
        total, squares = np.zeros(self.d), 0.0
        for part in self._blocks():
            total += np.ones(len(part), part.dtype) @ part
            squares += float(np.vecdot(part, part).sum(dtype=np.float64))
        return total, squares

    @cached_property
    def gram(self) -> Matrix:
        """The Gram matrix of the shorter side."""
        if self._wide is not None:
            product: Matrix = np.matmul(self._wide, self._wide.T).astype(np.float64, copy=False)
            return product
        gram, total = np.zeros((self.d, self.d)), np.zeros(self.d)
        for part in self._blocks():
            total += np.ones(len(part), part.dtype) @ part
            gram += part.T @ part
        vars(self).setdefault("_sums", (total, float(np.trace(gram))))
        return gram

    @property
    def mean(self) -> Matrix:
        """The mean (d,)."""
        return np.divide(self._sums[0], self.n, dtype=np.float64)

    @property
    def second_moment(self) -> Matrix:
        """The mean (d, d) of the rows' outer products."""
        gram: Matrix = self.gram if self._wide is None else np.matmul(self._wide.T, self._wide)
        return np.divide(gram, self.n)

    def variance(self, *, center: bool) -> float:
        """Return the variance of all directions together."""
        squares, middle = self._sums[1], float(self.mean @ self.mean)
        total: float = (squares - self.n * middle) / max(self.n - 1, 1) if center else squares / self.n
        return total

    def principal(self, k: int, *, center: bool) -> tuple[Matrix, Matrix]:
        """Return variances (k,), falling, and axes (k, d), the largest entry of each positive."""
        if center not in self._known or len(self._known[center][0]) < k:
            if (few := min(self.n, self.d)) <= _SMALL and self.n * self.d * few >= _ALONE:
                _ = self.gram  # made by all threads, and decomposed by one
            with _threads().limit(limits=1, user_api="blas") if few <= _SMALL else nullcontext():
                self._known[center] = self._principal(k, center)
        variance, axes = self._known[center]
        return variance[:k], axes[:k]

    def _principal(self, k: int, center: bool) -> tuple[Matrix, Matrix]:
        energy, vectors = self._leading(k, center)
        if self._wide is not None:
            energy, vectors = self._across(self._wide, vectors, center)
        elif self._dtype != np.float64:
            vectors = orthonormal(vectors.astype(np.float64))[0]
        axes = vectors.T
        largest = np.take_along_axis(axes, np.abs(axes).argmax(1, keepdims=True), axis=1)
        degrees = max(self.n - 1, 1) if center else self.n
        return energy.clip(min=0) / degrees, axes * np.where(largest < 0, -1.0, 1.0)

    def _leading(self, k: int, center: bool) -> tuple[Matrix, NDArray[Any]]:
        """Return the leading pairs of the shorter side."""
        if min(self.n, self.d) > max(_SMALL, 2 * first_look(k) - 1):
            self._krylov = self._krylov or self._space(k)
            found = self._krylov.pairs(k, self._centered_inside if center else lambda inner: inner)
            if found is not None:
                values, vectors, self.missed[center] = found
                return values, vectors
        self.missed[center] = 0.0
        matrix = self._centered() if center else self.gram
        return leading(matrix.astype(self._dtype, copy=False), k)

    def _space(self, k: int) -> Krylov:
        """Return the Krylov space of the rows, or of their Gram matrix where that is cheaper."""
        n, d, m = self.n, self.d, min(self.n, self.d)
        direct, formed = 6 * first_look(k) * n * d, n * d * m + 2 * first_look(k) * m * m
        first = self.mean if self._wide is None else np.ones(n)
        if not np.any(first):
            first = np.ones(m)
        if direct < formed and "gram" not in vars(self):
            return Krylov(self._times, first, k)
        gram = self.gram.astype(np.float32)
        return Krylov(lambda block: gram @ block, first, k)

    def _times(self, block: Vectors) -> NDArray[Any]:
        """Return the Gram matrix of the shorter side times a block (m, b)."""
        if self._wide is not None:
            product: NDArray[Any] = self._wide @ (self._wide.T @ block)
            return product
        product = np.zeros(block.shape)
        for start in range(0, self.n, _BLOCK):
            part = self.source[start : start + _BLOCK].astype(np.float32, copy=False)
            product += part.T @ ((part @ block) * self._weights[start : start + _BLOCK])
        return product

    @cached_property
    def _weights(self) -> Vectors:
        """One over the square of each row's length (n, 1): what makes products of given rows those of unit rows."""
        squares = np.empty((self.n, 1), np.float32)
        for start in range(0, self.n, _BLOCK):
            part = self.source[start : start + _BLOCK].astype(np.float32, copy=False)
            squares[start : start + _BLOCK, 0] = np.vecdot(part, part)
        squares[squares == 0] = 1
        return np.divide(1, squares, dtype=np.float32)

    def _centered(self) -> Matrix:
        if self._wide is None:
            matrix: Matrix = self.gram - self.n * np.outer(self.mean, self.mean)
            return matrix
        each = self.gram.mean(0)
        matrix = self.gram - each
        matrix -= (each - each.mean())[:, None]
        return matrix

    def _centered_inside(self, inner: Matrix) -> Matrix:
        """Center within a Krylov space, whose first direction is the mean's, or that of a one for each row."""
        if self._wide is None:
            inner[0, 0] -= self.n * (self.mean @ self.mean)
        else:
            inner[0] = 0
        return inner

    def _across(self, rows: NDArray[Any], weights: NDArray[Any], center: bool) -> tuple[Matrix, Matrix]:
        """Return energies (k,) and axes (d, k) from weights (n, k) of rows (n, d)."""
        across: NDArray[Any] = np.ascontiguousarray(weights.T, dtype=self._dtype)
        if center:
            across = across - across.mean(1, keepdims=True)
        rebuilt: Matrix = (across @ rows).astype(np.float64, copy=False)
        axes, energy = rebuilt.T, np.vecdot(rebuilt, rebuilt)
        if energy.min() > 1e-6 * energy.max():
            unit = (rebuilt / np.sqrt(energy)[:, None]).T
            if self._dtype == np.float64:
                return energy, unit  # orthogonal to 1e-10
            if np.abs(errors := unit.T @ unit - np.eye(len(energy))).max() < _NEARLY:
                step = unit.astype(np.float32) @ (errors / 2).astype(np.float32)  # small: its own errors are none
                return energy, unit - step
        # A direction without variance becomes one at right angles to the others.
        axes, triangle = orthonormal(axes)
        return np.diagonal(triangle) ** 2, axes

    def _blocks(self) -> Iterator[NDArray[Any]]:
        """Yield unit rows."""
        if self._wide is not None:
            yield self._wide
            return
        for start in range(0, self.n, _BLOCK):
            yield _unit(self.source[start : start + _BLOCK]).astype(self._dtype, copy=False)


@cache
def _threads() -> ThreadpoolController:
    """Return what knows the libraries that are loaded: to find them takes longer than a small decomposition."""
    return ThreadpoolController()


def _unit(rows: NDArray[Any]) -> Vectors:
    """Return unit rows: the same array where they are so already."""
    with np.errstate(all="ignore"):  # `unit_rows` tells what is not finite
        if rows.dtype == np.float32 and np.abs(np.vecdot(rows, rows) - 1).max() < 2e-6:
            return rows
    return unit_rows(rows, "X")


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
    key: Any = id(rows)
    if isinstance(rows, np.ndarray):
        key = (rows.__array_interface__["data"][0], rows.shape, rows.strides, rows.dtype.str)
    if key not in known:
        known[key] = Spectrum(rows)
    return known[key]
