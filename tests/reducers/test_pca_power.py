from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from projhead.reducers.held_out import held_out_overlap, hold_out
from projhead.reducers.pca import PCA
from projhead.reducers.pca_power import PCAPower
from projhead.vectors import Vectors, unit_rows


@pytest.mark.parametrize(("power", "whiten"), [(0.0, False), (1.0, True)])
def test_its_ends_are_pca_and_whitening(rows: Vectors, power: float, whiten: bool) -> None:
    ours = PCAPower(8, powers=[power]).fit(rows)
    oracle = PCA(8, center=ours.center_, whiten=whiten).fit(rows)
    np.testing.assert_allclose(ours.transform(rows), oracle.transform(rows), atol=1e-5)
    np.testing.assert_allclose(ours.explained_variance_, oracle.explained_variance_)


def test_it_keeps_the_power_with_the_largest_overlap_of_rows_held_out(rows: Vectors) -> None:
    stretched = unit_rows(rows * np.geomspace(4, 1, 32).astype(np.float32))
    ours = PCAPower(8).fit(stretched)
    kept, held_out = hold_out(stretched, 20_000, 0)
    assert len(held_out) == 120
    found = {}
    for center in (False, True):
        pca = PCA(8, center=center).fit(kept)
        scores = (held_out - (pca.mean_ if center else 0)) @ pca.components_.T
        for power in (0.0, 0.25, 0.5, 0.75, 1.0, -0.25, -0.5):
            reduced = scores / np.sqrt(pca.explained_variance_) ** power
            found[center, power] = held_out_overlap(held_out, unit_rows(reduced))
    assert found[ours.center_, ours.power_] == max(found.values())
    assert max(found.values()) - min(found.values()) > 0.02
    assert ours.training_["held-out overlap@10"] == pytest.approx(max(found.values()))


def test_no_rows_are_both_fitted_and_held_out(rows: Vectors) -> None:
    kept, held_out = hold_out(rows, 400, seed=3)
    assert (len(kept), len(held_out)) == (320, 80)
    assert (kept @ held_out.T).max() < 1 - 1e-6
    np.testing.assert_array_equal(hold_out(rows, 400, seed=3)[1], held_out)


def test_no_power_to_choose_from_is_refused(rows: Vectors) -> None:
    with pytest.raises(ValueError, match="powers: expected at least one"):
        PCAPower(8, powers=[]).fit(rows)


def test_ridge_regression_to_pca_scores_is_pca_with_its_components_shrunk(rows: Vectors) -> None:
    """Why there is no reducer of that name.

    With X = U S V' the ridge solution to the scores X V is V diag(s^2 / (s^2 + alpha)): the same directions, each
    scaled by a function of its variance. Without a penalty it is PCA; with one it does to the scores what a power
    below 0 does, which is tried here.
    """
    pca = PCA(8, center=False).fit(rows)
    exact = rows.astype(np.float64)
    alpha = 30.0
    ridge = Ridge(alpha, fit_intercept=False).fit(exact, exact @ pca.components_.T)
    energy = len(rows) * pca.explained_variance_
    np.testing.assert_allclose(ridge.coef_, (energy / (energy + alpha))[:, None] * pca.components_, atol=1e-6)
