"""The first k columns."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from projhead.reducers.base import Reducer
from projhead.settings.ranges import Count


class Truncation(Reducer):
    """Keep the first k columns, what a vector database does when told fewer dimensions.

    Right for teachers trained to bear it (Kusupati et al., "Matryoshka Representation Learning", 2022), a weak
    baseline for all others.

    Parameters
    ----------
    n_components : int, default=128
        Reduced width k.
    """

    kind = "truncation"
    role = "baseline"

    def __init__(self, n_components: Count = 128) -> None:
        self.n_components = n_components

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the width of `X` (n, d); its values and `y` are not used."""
        rows = self._checked(X, reset=True)
        return self._set_linear(np.eye(self.n_components, rows.shape[1]), None)
