from __future__ import annotations

import numpy as np
import pytest

from projhead.reducers.eigen import leading, orthonormal


@pytest.mark.parametrize("k", [1, 16, 60])
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_leading_pairs_equal_those_of_a_full_decomposition(k: int, dtype: type, close: float) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(100, 100)))
    values = 0.95 ** np.arange(100)
    found, vectors = leading(((turn * values) @ turn.T).astype(dtype), k)
    np.testing.assert_allclose(found, values[:k], atol=close * 0.01)
    np.testing.assert_allclose(np.abs((vectors * turn[:, :k]).sum(0)), 1, atol=close)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=close * 0.1)


@pytest.mark.parametrize("dependent", [False, True])
def test_orthonormal_columns_span_the_same_and_the_triangle_leads_back(dependent: bool) -> None:
    columns = np.random.default_rng(0).normal(size=(50, 6))
    if dependent:
        columns[:, 4] = columns[:, 1] * 2 - columns[:, 3]
    basis, triangle = orthonormal(columns)
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(basis @ triangle, columns, atol=1e-12)
