from __future__ import annotations

import numpy as np
import pytest

from projhead.reducers import eigen


def _with_spectrum(values: np.ndarray) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(len(values), len(values))))
    return (q * values) @ q.T


@pytest.mark.parametrize(("name", "krylov"), [("falling", True), ("flat", False)])
def test_leading_pairs_equal_those_of_a_full_decomposition(name: str, krylov: bool) -> None:
    m, k = 1100, 16
    values = np.arange(1, m + 1) ** -1.0 if name == "falling" else 1 - 1e-5 * np.arange(m)
    matrix = _with_spectrum(values)
    assert (eigen._krylov(matrix, k) is not None) == krylov
    found, vectors = eigen.leading(matrix, k)
    exact, axes = np.linalg.eigh(matrix)
    np.testing.assert_allclose(found, exact[::-1][:k], rtol=1e-6)
    np.testing.assert_allclose(np.abs((vectors * axes[:, ::-1][:, :k]).sum(0)), 1, atol=1e-6)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=1e-10)
