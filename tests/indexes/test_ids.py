from __future__ import annotations

import numpy as np
import pytest

from projhead.indexes.ids import Ids


def test_plain_numbers_cost_nothing_until_told_otherwise() -> None:
    ids = Ids.of(5, None).added(2, None).added(2, [7, 8])
    assert (len(ids), ids.nbytes) == (9, 0)
    ids = ids.added(1, [20]).added(1, None)
    assert ids.array.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 20, 21]
    assert ids.nbytes == 88


def test_places_close_up_or_stay_empty() -> None:
    ids = Ids.of(4, [9, 3, 7, 5])
    places = ids.places([5, 3])
    assert places.tolist() == [1, 3]
    closed, open_ = ids.without(places, close=True), ids.without(places, close=False)
    assert closed.array.tolist() == [9, 7]
    assert open_.array.tolist() == [9, -1, 7, -1]
    assert (len(closed), len(open_), closed.n_places, open_.n_places) == (2, 2, 2, 4)
    assert open_.at(np.array([[0, -1, 2]])).tolist() == [[9, -1, 7]]
    assert open_.added(1, [3]).array.tolist() == [9, -1, 7, -1, 3]


def test_what_cannot_be_an_id_is_refused() -> None:
    for given, message in (
        ([1, 2], r"expected 3 whole numbers, one per row, got int64 of shape \(2,\)"),
        ([1.0, 2.0, 3.0], "whole numbers, one per row, got float64"),
        ([1, -2, 3], "expected numbers from 0 on, got -2"),
        ([1, 2, 1], "expected each once, got 1 twice; drop duplicates"),
    ):
        with pytest.raises(ValueError, match=message):
            Ids.of(3, given)
    with pytest.raises(ValueError, match=r"-1 is not in the index"):
        Ids.of(3, None).without(np.array([1]), close=False).places([-1])
