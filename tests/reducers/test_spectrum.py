from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from projhead.reducers import spectrum as module
from projhead.reducers.base import Reducer
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.reducers.pca_power import PCAPower
from projhead.reducers.spectrum import Spectrum, one_pass
from projhead.vectors import Vectors, unit_rows


@pytest.fixture
def wide() -> Vectors:
    generator = np.random.default_rng(0)
    return unit_rows(generator.normal(size=(40, 300)) * np.geomspace(1, 0.05, 300) + 0.1)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("exact", [True, False])
def test_fewer_rows_than_columns_give_the_singular_vectors(
    wide: Vectors, center: bool, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_EXACT", 1e9 if exact else 0)
    rows = wide.astype(np.float64) - (wide.mean(0, dtype=np.float64) if center else 0)
    _, values, axes = np.linalg.svd(rows, full_matrices=False)
    ours = PCA(8, center=center).fit(wide)
    np.testing.assert_allclose(np.abs(np.sum(ours.components_ * axes[:8], axis=1)), 1, atol=1e-6)
    np.testing.assert_allclose(ours.explained_variance_, values[:8] ** 2 / (39 if center else 40), rtol=1e-5)


def test_directions_without_variance_are_at_right_angles_to_the_others(wide: Vectors) -> None:
    ours = PCA(40).fit(wide)  # centered, 40 rows span 39 directions
    np.testing.assert_allclose(ours.components_ @ ours.components_.T, np.eye(40), atol=1e-9)
    assert ours.explained_variance_[-1] < 1e-12 * ours.explained_variance_[0]
    assert np.isfinite(PCA(40, whiten=True).fit(wide).transform(wide)).all()


def test_many_rows_in_single_products_are_as_good(rows: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = PCA(8).fit(rows)
    monkeypatch.setattr(module, "_EXACT", 0)
    monkeypatch.setattr(module, "_BLOCK", 77)
    single = PCA(8).fit(rows)
    np.testing.assert_allclose(np.abs(np.sum(single.components_ * exact.components_, axis=1)), 1, atol=1e-9)


def test_a_training_and_its_baselines_pass_over_the_rows_once(rows: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[int] = []
    start = Spectrum.__init__

    def counted(self: Spectrum, given: Any) -> None:
        passes.append(len(given))
        start(self, given)

    monkeypatch.setattr(Spectrum, "__init__", counted)
    reducers: list[Reducer] = [PCA(8), PCA(8, center=False), PCA(8, whiten=True), PCAPower(8)]
    with one_pass():
        LearnedReducer(8, purpose="index", max_steps=2, n_documents=64).fit(rows)
        shared = [one.fit(rows).transform(rows) for one in reducers]
    # The choice of a power is made on rows of which some are held out.
    assert passes == [600, 480]
    passes.clear()
    apart = [one.fit(rows).transform(rows) for one in reducers]
    np.testing.assert_allclose(shared, apart, atol=1e-6)
    assert passes.count(600) == 4
