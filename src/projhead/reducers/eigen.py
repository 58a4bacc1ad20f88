"""The largest eigenpairs of a symmetric matrix, all of it only where that is cheaper."""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: Up to this order, and for more than one pair in so many, LAPACK's partial solver is faster.
_SMALL, _MANY = 1024, 24
#: A vector's angle to the exact one, at most.
_ANGLE = 2e-4
#: Pairs closer than this part of the largest value span a plane and are no more told apart.
_EQUAL = 1e-9


def leading(matrix: Matrix, k: int) -> tuple[Matrix, Matrix]:
    """Return the k largest eigenvalues, falling, and their vectors.

    A block Krylov space with full reorthogonalization (Golub and Underwood, 1977; Musco and Musco, "Randomized Block
    Krylov Methods for Stronger and Faster Approximate Singular Value Decomposition", 2015) grows until every pair's
    residual bounds its angle to the exact vector by 2e-4 (Davis and Kahan, 1970), so that cosines are right to 1e-7.
    Where it grows too large, as for spectra without decay, LAPACK solves instead.

    Parameters
    ----------
    matrix : ndarray of shape (m, m), float64
        Symmetric and positive semi-definite.
    k : int
        From 1 to m.

    Returns
    -------
    values : ndarray of shape (k,), float64
    vectors : ndarray of shape (m, k), float64
    """
    m = len(matrix)
    if m > _SMALL and _MANY * k <= m and (found := _krylov(matrix, k)) is not None:
        return found
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=(m - k, m - 1), check_finite=False)
    return values[::-1], vectors[:, ::-1]


def _krylov(matrix: Matrix, k: int) -> tuple[Matrix, Matrix] | None:
    """Return the leading pairs, None where a third of all directions does not hold them."""
    m, b = len(matrix), 32 if k <= 64 else 64
    most = m // 3 // b * b
    basis, product = np.empty((m, most), order="F"), np.empty((m, most), order="F")
    block = np.random.default_rng(0).standard_normal((m, b))
    look = 6 * k
    for size in range(0, most, b):
        known = basis[:, :size]
        for _ in range(2):  # twice is enough (Giraud et al., 2005)
            block -= known @ (known.T @ block)
            block, _ = np.linalg.qr(block)
        basis[:, size : size + b] = block
        block = matrix @ block
        product[:, size : size + b] = block
        size += b
        if size >= look:
            look = size + max(size // 4, 2 * b)
            values, vectors, angle = _ritz(basis[:, :size], product[:, :size], k)
            if angle <= _ANGLE:
                return values, vectors
    return None


def _ritz(basis: Matrix, product: Matrix, k: int) -> tuple[Matrix, Matrix, float]:
    """Return the best pairs of a space, and the largest angle of their vectors to exact ones."""
    size = basis.shape[1]
    inner = basis.T @ product
    values, inside = scipy.linalg.eigh((inner + inner.T) / 2, subset_by_index=(size - k - 1, size - 1))
    values, inside = values[::-1], inside[:, ::-1]
    vectors = basis @ inside[:, :k]
    residual = np.linalg.norm(product @ inside[:, :k] - vectors * values[:k], axis=0)
    gaps = -np.diff(values)
    gap = np.minimum(gaps, np.concatenate([[np.inf], gaps[:-1]]))
    return values[:k], vectors, float((residual / np.maximum(gap, _EQUAL * values[0])).max())
