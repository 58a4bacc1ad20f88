"""What every reducer must do, scikit-learn's own checks first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from projhead.encoders.reduced import Reduced
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.autoencoder import Autoencoder
from projhead.reducers.base import Reducer, load_reducer
from projhead.reducers.leanvec import LeanVec
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.reducers.pca_power import PCAPower
from projhead.reducers.random_projection import RandomProjection
from projhead.reducers.truncation import Truncation
from projhead.vectors import Vectors

REDUCERS = [
    PCA(2),
    PCA(2, center=False),
    PCA(2, whiten=True),
    PCAPower(2),
    LeanVec(2),
    Autoencoder(2, hidden_features=8, max_steps=3),
    RandomProjection(2),
    Truncation(2),
    LearnedReducer(2, max_steps=3, steps_per_epoch=3),
]


@parametrize_with_checks(REDUCERS)
def test_scikit_learn(estimator: Reducer, check: object) -> None:
    check(estimator)  # type: ignore[operator]


@pytest.mark.parametrize("reducer", REDUCERS, ids=str)
def test_rows_come_out_at_unit_length_and_the_artifact_gives_the_same(
    reducer: Reducer, rows: Vectors, tmp_path: Path
) -> None:
    fitted = clone(reducer).fit(rows)
    reduced = fitted.transform(rows)
    assert reduced.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(reduced, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(fitted.transform(7 * rows.astype(np.float64)), reduced, atol=1e-5)
    fitted.save(tmp_path / "artifact")
    np.testing.assert_array_equal(load_reducer(tmp_path / "artifact").transform(rows), reduced)


@pytest.mark.parametrize("reducer", REDUCERS, ids=str)
def test_it_works_in_a_pipeline(reducer: Reducer, rows: Vectors) -> None:
    pipeline = make_pipeline(FunctionTransformer(lambda x: x[:, ::-1].copy()), clone(reducer))
    expected = clone(reducer).fit(rows[:, ::-1].copy()).transform(rows[:, ::-1].copy())
    np.testing.assert_allclose(pipeline.fit(rows).transform(rows), expected, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad: float, rows: Vectors) -> None:
    broken = rows.copy()
    broken[3, 4] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        PCA(2).fit(broken)


def test_another_teachers_vectors_are_refused(minilm: object, rows: Vectors) -> None:
    reducer = PCA(2).fit(rows)
    with pytest.raises(ValueError, match="width 32"):
        Reduced(minilm, reducer)  # type: ignore[arg-type]
    reducer.teacher_ = EncoderIdentity("mpnet", "another", 32)
    with pytest.raises(ValueError, match=r"expected vectors of mpnet .*another.*encoder="):
        Reduced(minilm, reducer)  # type: ignore[arg-type]
