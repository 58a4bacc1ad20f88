from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.decomposition

from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, unit_rows


def test_centered_equals_scikit_learn(rows: Vectors) -> None:
    exact = rows.astype(np.float64)
    oracle = sklearn.decomposition.PCA(8, svd_solver="full").fit(exact)
    ours = PCA(8).fit(rows)
    np.testing.assert_allclose(np.abs(np.sum(ours.components_ * oracle.components_, axis=1)), 1, atol=1e-6)
    np.testing.assert_allclose(ours.explained_variance_, oracle.explained_variance_, rtol=1e-5)
    np.testing.assert_allclose(ours.mean_, oracle.mean_, atol=1e-7)
    projected = unit_rows(oracle.transform(exact))
    np.testing.assert_allclose(ours.transform(rows) @ ours.transform(rows).T, projected @ projected.T, atol=1e-5)


def test_whitened_equals_scikit_learn(rows: Vectors) -> None:
    oracle = sklearn.decomposition.PCA(8, svd_solver="full", whiten=True).fit(rows.astype(np.float64))
    projected, ours = (
        unit_rows(oracle.transform(rows.astype(np.float64))),
        PCA(8, whiten=True).fit(rows).transform(rows),
    )
    np.testing.assert_allclose(ours @ ours.T, projected @ projected.T, atol=1e-5)


def test_uncentered_is_the_singular_value_decomposition(rows: Vectors) -> None:
    _, values, axes = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
    ours = PCA(8, center=False).fit(rows)
    np.testing.assert_allclose(np.abs(np.sum(ours.components_ * axes[:8], axis=1)), 1, atol=1e-6)
    np.testing.assert_allclose(ours.explained_variance_, values[:8] ** 2 / len(rows), rtol=1e-5)


def test_blocks_of_a_memory_map_give_the_same(rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "rows.npy", rows.astype(np.float16))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    whole = PCA(8).fit(mapped)
    monkeypatch.setattr("projhead.vectors.unit._BLOCK", 77)
    streamed = PCA(8).fit(mapped)
    np.testing.assert_allclose(streamed.components_, whole.components_, atol=1e-10)
    np.testing.assert_allclose(streamed.transform(mapped), whole.transform(mapped), atol=1e-6)


def test_too_few_rows_or_columns_are_refused(rows: Vectors) -> None:
    with pytest.raises(ValueError, match="at most n_samples = 5"):
        PCA(8).fit(rows[:5])
    with pytest.raises(ValueError, match="n_features = 32"):
        PCA(33).fit(rows)


@pytest.mark.parametrize("form", [{}, {"center": False}, {"whiten": True}])
def test_a_prefix_is_the_fit_at_that_width(rows: Vectors, form: dict[str, bool]) -> None:
    prefix, narrow = PCA(8, **form).fit(rows).prefix(3), PCA(3, **form).fit(rows)
    np.testing.assert_allclose(prefix.transform(rows), narrow.transform(rows), atol=1e-5)
    np.testing.assert_allclose(prefix.explained_variance_, narrow.explained_variance_)
    assert prefix.get_params() == narrow.get_params()
    with pytest.raises(ValueError, match="expected 1 to 8, this reducer's, got 9"):
        PCA(8, **form).fit(rows).prefix(9)
