from __future__ import annotations

import numpy as np
from sklearn.random_projection import GaussianRandomProjection

from projhead.reducers.random_projection import RandomProjection
from projhead.vectors import Vectors, unit_rows


def test_it_is_scikit_learns_matrix(rows: Vectors) -> None:
    oracle = GaussianRandomProjection(6, random_state=3).fit(rows)
    np.testing.assert_allclose(
        RandomProjection(6, random_state=3).fit_transform(rows), unit_rows(oracle.transform(rows)), atol=1e-5
    )
