"""Leading eigenpairs by a Krylov space that grows until the residual is small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from projhead.reducers.eigen import Matrix, orthonormal
from projhead.vectors import Vectors

#: Of the sum of the best k eigenvalues, the share that may be missed; and where these k are nearly equal.
_MISSED, _MISSED_FLAT = 1e-3, 3e-2
#: The k largest are nearly equal where the last is more than this part of the first: no vector matters more.
_FLAT = 0.25
#: With more than this part of a column left, its rounding errors along the basis stay far below one's square root.
_KEPT = 1e-2
#: Looks at the pairs before the space is given up.
_LOOKS = 6

Centering = Callable[[Matrix], Matrix]


def block_of(k: int) -> int:
    """Return how many directions are added at once."""
    return 16 if k <= 32 else 64


def first_look(k: int) -> int:
    """Return the size of space that most often holds k pairs."""
    return 2 * k + max(3 * block_of(k), 64)


class Krylov:
    """An orthonormal basis of the space of a symmetric matrix and a random block, and the matrix within it.

    Block Lanczos in float32 with full reorthogonalization (Golub and Underwood, "The block Lanczos method for computing
    eigenvalues", 1977; Musco and Musco, "Randomized Block Krylov Methods for Stronger and Faster Approximate Singular
    Value Decomposition", 2015): at equal work it is nearer than the subspace iteration of Halko et al. (2011). As the
    first direction is given, a matrix that differs along it alone has the same space.

    Parameters
    ----------
    product : callable
        Takes (m, b), float32, and returns the matrix times it.
    first : ndarray of shape (m,)
        The first direction.
    k : int
        How many pairs are looked for at first.
    """

    def __init__(self, product: Callable[[Vectors], NDArray[Any]], first: NDArray[Any], k: int) -> None:
        m, self._block = len(first), block_of(k)
        self._product, self._size, self._ended = product, 0, False
        self._basis = np.empty((m, m), np.float32, order="F")  # pages that are never reached take no memory
        self._inner = np.zeros((m, m))
        start = np.random.default_rng(0).standard_normal((m, self._block), dtype=np.float32)
        start[:, 0] = first
        self._next, self._coupling = orthonormal(start)

    def pairs(self, k: int, centering: Centering) -> tuple[Matrix, Vectors, float] | None:
        """Return k values, falling, vectors (m, k), and what share of the values' sum the best may have beyond it.

        The residual r of a pair bounds how far its value is from an exact one by r, and by r^2 / gap where the next
        value is a gap away (Kato, 1949; Temple, 1933).

        Parameters
        ----------
        k : int
        centering : callable
            Takes the matrix within the space, its upper triangle, and returns the one whose pairs are asked for: it may
            differ in the first row.

        Returns
        -------
        tuple or None
            None where the space would grow too large, or ends before it holds k pairs.
        """
        look = first_look(k)
        for _ in range(_LOOKS):
            if not self._grow(look):
                return None
            inner = centering(self._inner[: self._size, : self._size].copy()).astype(np.float32)
            values, inside = scipy.linalg.eigh(inner, lower=False, driver="evd", check_finite=False)
            values, inside = values[::-1].astype(np.float64), inside[:, ::-1][:, :k]
            missed = _missed(values, np.linalg.norm(self._coupling @ inside[-self._block :], axis=0))
            if missed <= (_MISSED_FLAT if values[k - 1] > _FLAT * values[0] else _MISSED):
                vectors = self._basis[:, : self._size] @ inside
                return values[:k], vectors, missed
            look = self._size + self._block
        return None

    def _grow(self, size: int) -> bool:
        """Add blocks up to a size; say whether there are so many directions."""
        if self._ended or size + self._block > len(self._basis):
            return False
        while self._size < size:
            start, stop = self._size, self._size + self._block
            self._basis[:, start:stop] = self._next
            known = self._basis[:, :stop]
            new = np.asarray(self._product(known[:, start:]), np.float32)
            scale = np.linalg.norm(new, axis=0)
            for _ in range(2):  # twice is enough (Giraud et al., 2005), once where little was taken off
                part = known.T @ new
                new -= known @ part
                self._inner[:stop, start:stop] += part
                if (np.linalg.norm(new, axis=0) > _KEPT * scale).all():
                    break
            self._next, self._coupling = orthonormal(new)
            self._size = stop
            self._ended = bool(
                np.linalg.norm(self._coupling) <= 1e-6 * np.linalg.norm(scale)
            )  # what is left is rounding
            if self._ended:
                return False
        return True


def _missed(values: Matrix, residuals: Matrix) -> float:
    k = len(residuals)
    gaps = np.maximum(values[:k] - values[k], 1e-12 * values[0])
    missed: float = np.minimum(residuals, residuals**2 / gaps).sum() / values[:k].sum()
    return missed
