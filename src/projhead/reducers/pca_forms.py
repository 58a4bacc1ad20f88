"""Every form of PCA that is a baseline."""

from __future__ import annotations

from projhead.reducers.base import Reducer
from projhead.reducers.pca import PCA
from projhead.reducers.pca_power import PCAPower


def pca_forms(n_components: int) -> list[Reducer]:
    """Return PCA to `n_components` in every form, not fitted: centered, uncentered, whitened, and powers between."""
    return [
        PCA(n_components),
        PCA(n_components, center=False),
        PCA(n_components, whiten=True),
        PCAPower(n_components),
    ]
