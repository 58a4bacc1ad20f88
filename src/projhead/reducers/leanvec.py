"""LeanVec: one linear map that keeps inner products of queries with documents."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from projhead.reducers.base import Reducer
from projhead.reducers.spectrum import spectrum
from projhead.settings.ranges import Count

Matrix = NDArray[np.float64]


class LeanVec(Reducer):
    """Principal axes of documents and queries together, mixed so that their inner products are kept best.

    The eigenvector search of Tepper et al., "LeanVec: Searching vectors faster by making them fit", 2024: axes are
    eigenvectors of ``(1 - beta) K_q + beta K_x``, second moments of queries and of documents, and beta is what makes
    the mean squared error of inner products least.

    Parameters
    ----------
    n_components : int, default=128
        Reduced width k.

    Attributes
    ----------
    components_ : ndarray of shape (k, d), float64
        Orthonormal axes.
    beta_ : float
        The share of the documents; 1 is the uncentered PCA of them.
    """

    kind = "leanvec"
    role = "baseline"

    def __init__(self, n_components: Count = 128) -> None:
        self.n_components = n_components

    def fit(self, X: ArrayLike, y: object = None, *, queries: ArrayLike | None = None) -> Self:
        """Fit on documents (n, d) and queries (q, d), float, which are made unit length; `y` is not used.

        Without queries documents stand for them, and it is the uncentered PCA.

        Raises
        ------
        ValueError
            If widths differ, or values are not finite.
        """
        rows = self._checked(X, reset=True)
        documents = spectrum(rows).second_moment
        asked = documents
        if queries is not None:
            queries = self._checked(queries, reset=False)
            asked = spectrum(queries).second_moment
        k = self.n_components

        def error(beta: float) -> float:
            return _error(_axes((1 - beta) * asked + beta * documents, k), asked, documents)

        found = minimize_scalar(error, bounds=(0, 1), method="bounded", options={"xatol": 1e-2})
        # The ends are no interior points: each is looked at by itself.
        self.beta_ = min((1.0, 0.0, float(found.x)), key=error)
        return self._set_linear(_axes((1 - self.beta_) * asked + self.beta_ * documents, k), None)


def _axes(moment: Matrix, k: int) -> Matrix:
    """Return the eigenvectors (k, d) of the largest eigenvalues."""
    axes: Matrix = np.linalg.eigh(moment)[1].T[::-1][:k].copy()
    return axes


def _error(axes: Matrix, asked: Matrix, documents: Matrix) -> float:
    """Return the mean squared error of inner products, but for what no axes change."""
    inside = axes @ asked @ axes.T, axes @ documents @ axes.T
    return float(np.vdot(*inside) - 2 * np.vdot(axes @ asked, axes @ documents))
