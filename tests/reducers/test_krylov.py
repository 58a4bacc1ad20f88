from __future__ import annotations

import numpy as np
import pytest
import sklearn.decomposition

from projhead.reducers import krylov
from projhead.reducers.pca import PCA
from projhead.reducers.spectrum import Spectrum, one_pass
from projhead.vectors import Vectors, unit_rows

_SHAPES = {"direct": (700, 600, 16), "Gram matrix": (3000, 600, 32), "few rows": (600, 800, 16)}


def _rows(n: int, d: int, *, falling: bool = True) -> Vectors:
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(n, d)).astype(np.float32)
    if falling:
        rows = rows * (np.arange(1, d + 1) ** -0.45).astype(np.float32) + generator.normal(size=d) * 0.5 / d**0.5
    return unit_rows(rows)


def _kept(rows: Vectors, axes: np.ndarray, *, center: bool) -> float:
    """Return the share of the best axes' variance that axes (k, d) keep, by a full decomposition in float64."""
    exact = rows.astype(np.float64) - (rows.mean(0, dtype=np.float64) if center else 0)
    best = np.linalg.eigvalsh(exact.T @ exact)[::-1][: len(axes)].sum()
    return float(np.square(exact @ axes.T).sum() / best)


@pytest.mark.parametrize("way", _SHAPES)
def test_axes_keep_what_full_pca_keeps_and_say_how_nearly(way: str) -> None:
    n, d, k = _SHAPES[way]
    rows = _rows(n, d)
    with one_pass():
        fitted = [PCA(k, center=center).fit(rows) for center in (True, False)]
    other = sklearn.decomposition.PCA(k, random_state=0).fit(rows)
    for center, ours in zip((True, False), fitted, strict=True):
        missed = 1 - _kept(rows, ours.components_, center=center)
        assert missed <= ours.shortfall_ <= 1e-3, "the bound is no bound"
        assert ours.shortfall_ > 0, "LAPACK solved"
        np.testing.assert_allclose(ours.components_ @ ours.components_.T, np.eye(k), atol=1e-9)
        along = np.square((rows - (ours.mean_ if center else 0)) @ ours.components_.T).sum(0) / (n - center)
        np.testing.assert_allclose(ours.explained_variance_, along, rtol=1e-3)
    assert 1 - _kept(rows, fitted[0].components_, center=True) <= 1 - _kept(rows, other.components_, center=True)
    assert not hasattr(fitted[0].prefix(4), "shortfall_")


def test_rows_of_other_lengths_have_the_axes_of_unit_rows() -> None:
    rows = _rows(700, 600)
    lengths = np.random.default_rng(0).uniform(0.1, 9, size=(700, 1)).astype(np.float32)
    ours, same = PCA(16).fit(rows * lengths), PCA(16).fit(rows)
    assert ours.shortfall_ > 0
    np.testing.assert_allclose(ours.components_[:4], same.components_[:4], atol=1e-4)
    np.testing.assert_allclose(ours.explained_variance_, same.explained_variance_, rtol=1e-4)


def test_noise_whose_axes_are_all_alike_is_not_pursued() -> None:
    rows = _rows(700, 600, falling=False)
    ours = PCA(16).fit(rows)
    missed = 1 - _kept(rows, ours.components_, center=True)
    other = sklearn.decomposition.PCA(16, random_state=0).fit(rows)
    assert 0 < missed < 1.2 * (1 - _kept(rows, other.components_, center=True)) < 0.1


def test_rows_of_few_directions_are_decomposed_in_full() -> None:
    generator = np.random.default_rng(0)
    rows = unit_rows(generator.normal(size=(900, 10)) @ generator.normal(size=(10, 600)))
    ours = PCA(16).fit(rows)
    assert ours.shortfall_ == 0
    np.testing.assert_allclose(ours.explained_variance_ratio_[:10].sum(), 1, atol=1e-5)
    np.testing.assert_allclose(ours.components_ @ ours.components_.T, np.eye(16), atol=1e-9)


def test_a_space_that_finds_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(krylov, "_MISSED", 0.0)
    rows = _rows(700, 600)
    found = Spectrum(rows)
    found.principal(16, center=True)
    assert found.missed == {True: 0.0}
    np.testing.assert_allclose(_kept(rows, found.principal(16, center=True)[1], center=True), 1, atol=1e-6)
