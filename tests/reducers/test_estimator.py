"""The face that scikit-learn users expect, held to scikit-learn's own PCA where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn import decomposition
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from projhead.reducers.autoencoder import Autoencoder
from projhead.reducers.base import Reducer, load_reducer
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.reducers.pca_power import PCAPower
from projhead.reducers.random_projection import RandomProjection
from projhead.reducers.truncation import Truncation
from projhead.vectors import Vectors, neighbor_overlap, unit_rows

CLOSED = [PCA(4), PCA(4, center=False), PCA(4, whiten=True), PCAPower(4), RandomProjection(4), Truncation(4)]


@pytest.mark.parametrize("asked", [5, 0.6, None])
def test_pca_says_what_scikit_learns_says(asked: int | float | None, rows: Vectors) -> None:
    ours, theirs = PCA(asked).fit(rows), decomposition.PCA(asked, svd_solver="full").fit(rows.astype(np.float64))
    assert ours.n_components_ == theirs.n_components_ == len(ours.components_)
    np.testing.assert_allclose(ours.mean_, theirs.mean_, atol=1e-7)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_, atol=1e-7)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_, atol=1e-6)
    np.testing.assert_allclose(np.abs((ours.components_ * theirs.components_).sum(1)), 1, atol=1e-4)


@pytest.mark.parametrize("wrong", [0.0, 1.0, 1.5, -1, "mle"])
def test_a_width_that_is_none_is_refused(wrong: object, rows: Vectors) -> None:
    with pytest.raises(ValueError, match="n_components: got"):
        PCA(wrong).fit(rows)  # type: ignore[arg-type]


@pytest.mark.parametrize("reducer", CLOSED, ids=str)
def test_closed_forms_give_a_unit_row_that_reduces_to_the_one_given(reducer: Reducer, rows: Vectors) -> None:
    fitted = clone(reducer).fit(rows)
    reduced = fitted.transform(rows)
    back = fitted.inverse_transform(reduced)
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(fitted.transform(back), reduced, atol=2e-4)


@pytest.mark.parametrize("form", [{}, {"center": False}, {"whiten": True}])
def test_at_full_width_pca_gives_every_row_back(form: dict[str, bool], rows: Vectors, tmp_path: Path) -> None:
    PCA(None, **form).fit(rows).save(tmp_path / "artifact")
    fitted = load_reducer(tmp_path / "artifact")
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(rows)), unit_rows(rows), atol=1e-4)


@pytest.mark.parametrize("reducer", [LearnedReducer(4, max_steps=20), Autoencoder(4, max_steps=20)], ids=str)
def test_a_trained_head_rebuilds_rows_as_well_as_it_says(reducer: Reducer, rows: Vectors, tmp_path: Path) -> None:
    train, test = rows[:500], rows[500:]
    fitted = clone(reducer).fit(train)
    fitted.save(tmp_path / "artifact")
    loaded = load_reducer(tmp_path / "artifact")
    error = np.square(loaded.inverse_transform(loaded.transform(test)) - test).sum(1).mean()
    assert error == pytest.approx(loaded.reconstruction_error_, rel=0.15)
    blind = np.square(unit_rows(train.mean(0, keepdims=True)) - test).sum(1).mean()
    assert error < 0.7 * blind


def test_a_cut_head_says_that_it_has_no_way_back(rows: Vectors) -> None:
    narrow = LearnedReducer(8, nested=[4], max_steps=3).fit(rows).prefix(4)
    with pytest.raises(ValueError, match=r"expected a head with a decoder.*n_components=4"):
        narrow.inverse_transform(narrow.transform(rows))


def test_widths_as_an_array_are_widths_as_a_list(rows: Vectors, tmp_path: Path) -> None:
    as_array = LearnedReducer(8, nested=np.array([2, 4]), max_steps=3).fit(rows)
    as_list = LearnedReducer(8, nested=[2, 4], max_steps=3).fit(rows)
    np.testing.assert_array_equal(as_array.transform(rows), as_list.transform(rows))
    as_array.prefix(4).save(tmp_path / "artifact")
    assert list(load_reducer(tmp_path / "artifact").nested) == [2]


def test_score_is_the_overlap_of_neighbors_and_grid_search_goes_by_it(rows: Vectors) -> None:
    fitted = PCA(6).fit(rows[:400])
    expected = neighbor_overlap(rows[400:], fitted.transform(rows[400:]), [10]).mean()
    assert fitted.score(rows[400:]) == pytest.approx(float(expected))
    search = GridSearchCV(PCA(2), {"n_components": [2, 8, 4]}, cv=3).fit(rows)
    assert search.best_params_ == {"n_components": 8}
    with pytest.raises(ValueError, match="expected at least 2 rows"):
        fitted.score(rows[:1])
