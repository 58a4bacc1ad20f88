from __future__ import annotations

import numpy as np
import pytest

from projhead.codecs.binary import Binary
from projhead.evaluation.held_out import SEARCHED, held_out
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors, exact_top_k

TEACHER = EncoderIdentity("rows", "1", 32)


def test_what_was_fitted_for_an_index_is_asked_for_its_rows(rows: Vectors) -> None:
    train, test = rows[:450], rows[450:]
    learned, pca = LearnedReducer(4, purpose="index", max_steps=60).fit(train), PCA(4).fit(train)
    found = held_out([learned, pca], test, teacher=TEACHER, searched=train).rows
    assert {row.task for row in found} == {SEARCHED, "neighbor_overlap/held-out"}
    assert found[0].task == SEARCHED  # what it is for comes first
    values = {
        row.reducer: row.value for row in found if (row.task, row.metric, row.baseline) == (SEARCHED, "overlap@10", "")
    }
    true = exact_top_k(test, train, 10)[1]
    for reducer in (learned, pca):
        near = exact_top_k(reducer.transform(test), reducer.transform(train), 10)[1]
        expected = np.mean([len({*a} & {*b}) / 10 for a, b in zip(true, near, strict=True)])
        assert values[reducer.kind] == pytest.approx(expected)
    assert values["learned"] > values["pca"]


def test_rows_that_are_searched_are_stored_in_the_codec(rows: Vectors) -> None:
    train, test, pca = rows[:450], rows[450:], PCA(8).fit(rows[:450])

    def kept(**given: object) -> float:
        found = held_out([pca], test, teacher=TEACHER, searched=train, **given).rows  # type: ignore[arg-type]
        return next(row.value for row in found if (row.task, row.metric) == (SEARCHED, "overlap@10"))

    assert kept(train=train, codec=Binary()) < kept() - 0.05
