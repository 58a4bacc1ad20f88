from __future__ import annotations

import numpy as np

from projhead.reducers.leanvec import LeanVec
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, unit_rows


def _error(fitted: LeanVec | PCA, documents: Vectors, queries: Vectors) -> float:
    """The mean squared error of inner products, written out."""
    axes = fitted.components_
    return float(np.square(queries @ documents.T - (queries @ axes.T) @ (documents @ axes.T).T).mean())


def test_inner_products_of_queries_with_documents_are_kept_best() -> None:
    generator = np.random.default_rng(0)
    documents = unit_rows(generator.normal(size=(500, 16)) * np.geomspace(1, 0.3, 16))
    queries = unit_rows(generator.normal(size=(300, 16)) * np.geomspace(0.3, 1, 16))
    fitted = LeanVec(6).fit(documents, queries=queries)
    assert 0 < fitted.beta_ < 1
    assert _error(fitted, documents, queries) < 0.95 * _error(PCA(6, center=False).fit(documents), documents, queries)
    grid = []
    for beta in np.linspace(0, 1, 101):
        moment = (1 - beta) * queries.T @ queries / 300 + beta * documents.T @ documents / 500
        other = PCA(6, center=False).fit(documents)
        other.components_ = np.linalg.eigh(moment.astype(np.float64))[1].T[::-1][:6]
        grid.append(_error(other, documents, queries))
    np.testing.assert_allclose(_error(fitted, documents, queries), min(grid), rtol=1e-2)


def test_without_queries_it_is_the_uncentered_pca(rows: Vectors) -> None:
    pca = PCA(5, center=False).fit(rows)
    fitted = LeanVec(5).fit(rows)
    np.testing.assert_allclose(np.abs(fitted.components_ @ pca.components_.T), np.eye(5), atol=1e-5)
