"""Gaussian random projection."""

from __future__ import annotations

from typing import Self

from numpy.typing import ArrayLike
from sklearn.random_projection import GaussianRandomProjection

from projhead.reducers.base import Reducer
from projhead.settings.ranges import Count, Seed


class RandomProjection(Reducer):
    """A random Gaussian matrix (Johnson and Lindenstrauss, 1984), as scikit-learn draws it.

    Parameters
    ----------
    n_components : int, default=128
        Reduced width k.
    random_state : int, default=0
        Seed of the matrix.
    """

    kind = "random_projection"
    role = "baseline"

    def __init__(self, n_components: Count = 128, *, random_state: Seed = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Draw the matrix for the width of `X` (n, d); its values and `y` are not used."""
        rows = self._checked(X, reset=True)
        drawn = GaussianRandomProjection(self.n_components, random_state=self.random_state).fit(rows[:2])
        return self._set_linear(drawn.components_, None)
