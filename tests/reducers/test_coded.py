from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, State, fitted_copy
from projhead.codecs.binary import Binary
from projhead.codecs.cast import Cast
from projhead.codecs.integer import Integer
from projhead.codecs.pq import ProductQuantizer
from projhead.codecs.residual import ResidualQuantizer
from projhead.heads.linear import Linear
from projhead.reducers import coded
from projhead.reducers.base import load_reducer
from projhead.reducers.given import Given
from projhead.reducers.guarded import judge_of
from projhead.reducers.head_training import default_optimizer
from projhead.reducers.learned import LearnedReducer
from projhead.training.guard import Judge
from projhead.vectors import Vectors, exact_top_k, unit_rows


@pytest.fixture(scope="module")
def asked() -> tuple[Vectors, Vectors, Vectors]:
    """Documents, queries to train with and queries to test with: near documents, and all in few directions more."""
    generator = np.random.default_rng(3)
    documents = unit_rows(generator.normal(size=(900, 32)))
    near = documents[generator.integers(900, size=1500)] + generator.normal(size=(1500, 32)) * 0.2
    queries = unit_rows(near * np.geomspace(2, 0.1, 32))
    return documents, queries[:1200], queries[1200:]


def _kept(reducer: LearnedReducer, codec: BaseCodec, documents: Vectors, queries: Vectors) -> float:
    _, true = exact_top_k(queries, documents, 10)
    stored = codec.decode(codec.encode(reducer.transform(documents)))
    _, found = exact_top_k(reducer.transform(queries), stored, 10)
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(true, found, strict=True)]))


@pytest.mark.parametrize(
    ("codec", "gains"),
    [
        (Binary(), 0.005),
        (Integer(4, quantile=0.5), 0.02),  # clips half of all values: tuning has to find better steps
        (ProductQuantizer(4), 0.005),
        (ResidualQuantizer(2), 0.0),  # is fitted, and not trained through
        (Cast("float16"), 0.0),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_head_and_its_codec_keep_more_than_the_head_and_a_codec_fitted_to_it(
    codec: BaseCodec, gains: float, asked: tuple[Vectors, Vectors, Vectors], tmp_path: Path
) -> None:
    documents, seen, unseen = asked
    settings: dict[str, Any] = {"head": Linear, "max_steps": 100}
    alone = LearnedReducer(16, **settings).fit(documents, queries=seen)
    trained = LearnedReducer(16, codec=codec, **settings).fit(documents, queries=seen)
    assert not hasattr(codec, "dimension")  # what was given is left as it was
    found = _kept(trained, trained.codec_, documents, unseen)
    untuned = _kept(alone, fitted_copy(codec, alone.transform(documents)), documents, unseen)
    assert found > untuned + gains if gains else found == untuned
    assert ("and both tuned: +" in trained.summary_) == bool(gains)
    trained.save(tmp_path)
    loaded = load_reducer(tmp_path)
    codes = (one.codec_.encode(one.transform(documents)) for one in (loaded, trained))
    np.testing.assert_array_equal(*codes)
    assert _kept(loaded, loaded.codec_, documents, unseen) == found


def test_codes_that_tuning_makes_no_better_stay_as_they_were_fitted(
    asked: tuple[Vectors, Vectors, Vectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    documents, seen, _ = asked
    monkeypatch.setattr("projhead.reducers.coded._RATE", 10.0)  # ruins whatever it tunes
    settings: dict[str, Any] = {"head": Linear, "max_steps": 30, "optimizer": partial(torch.optim.SGD, lr=10.0)}
    alone = LearnedReducer(16, **settings).fit(documents, queries=seen)
    trained = LearnedReducer(16, codec=ProductQuantizer(4), **settings).fit(documents, queries=seen)
    assert "pq_4 fitted to it, tuning both gave -" in trained.summary_
    codec = fitted_copy(ProductQuantizer(4), alone.transform(documents))
    np.testing.assert_array_equal(trained.transform(documents), alone.transform(documents))
    np.testing.assert_array_equal(trained.codec_.state["centroids"], codec.state["centroids"])


@pytest.mark.parametrize(("codec", "gains"), [(Integer(4, quantile=0.5), True), (ProductQuantizer(4), False)])
def test_without_queries_the_rows_that_judge_codes_are_not_those_they_were_fitted_to(
    codec: BaseCodec, gains: bool, rows: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    judging: list[Vectors] = []
    fitting: list[Vectors] = []
    codecs: list[BaseCodec] = []

    def fitted(self: BaseCodec, rows: Vectors) -> State:
        fitting.append(rows)
        codecs.append(self)
        return fit(self, rows)

    def noted(given: Given, held_out: NDArray[np.int64], widths: list[int], seed: int) -> Judge:
        judging.append(given.rows[held_out])
        return judge_of(given, held_out, widths, seed)

    fit = type(codec)._fit
    monkeypatch.setattr(type(codec), "_fit", fitted)
    monkeypatch.setattr(coded, "judge_of", noted)
    if not gains:
        monkeypatch.setattr(coded, "_RATE", 1e-12)
    made = LearnedReducer(8, codec=codec, max_steps=100, blend=1.0).fit(rows)
    assert ("and both tuned: +" in made.summary_) == gains
    if not gains:
        np.testing.assert_array_equal(made.codec_.state["centroids"], codecs[0].state["centroids"])

    def seen(fitted: Vectors) -> int:
        """Return how many of the rows that judge are among those that a codec was fitted to."""
        with torch.inference_mode():
            near = unit_rows(head(torch.from_numpy(judging[0])).numpy()) @ fitted.T
        return int((near.max(1) > 1 - 1e-5).sum())

    head = LearnedReducer(8, max_steps=100, blend=1.0).fit(rows).head_
    assert [seen(fitted) for fitted in fitting] == [len(judging[0]), 0]


def test_a_rate_and_steps_that_are_asked_of_the_fit_are_not_those_of_tuning(rows: Vectors) -> None:
    rates, steps = [], []

    def optimizer(parameters: Any, lr: float = 2e-3) -> torch.optim.Optimizer:
        rates.append(lr)
        return default_optimizer(parameters, lr)

    def trainer(max_steps: int = 230, **others: Any) -> pl.Trainer:
        steps.append(max_steps)
        return pl.Trainer(max_steps=max_steps, **others | {"enable_progress_bar": False, "logger": False})

    made = LearnedReducer(8, codec=ProductQuantizer(4), blend=1.0, optimizer=optimizer, trainer=trainer).fit(rows)
    assert (rates, steps) == ([2e-3, coded._RATE], [230, coded._STEPS])
    assert made.summary_.startswith("for rows to come: 230 steps at 2.0e-03")
