from __future__ import annotations

import numpy as np
import pytest

from projhead.vectors import unit_rows
from projhead.vectors.lazy import JoinedRows, LazyRows, chosen_rows

ROWS = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float16)
NUMBERS = np.array([3, 29, 0, 7, 7, 12])
CHOSEN = ROWS[NUMBERS]
LAZY = {
    "chosen": chosen_rows(ROWS, NUMBERS),
    "joined": JoinedRows([CHOSEN[:2], CHOSEN[:0], chosen_rows(ROWS, NUMBERS[2:])]),
    "one": JoinedRows([CHOSEN]),
}


@pytest.mark.parametrize("rows", LAZY.values(), ids=LAZY)
@pytest.mark.parametrize(
    "key",
    [
        0,
        -1,
        np.int64(2),
        slice(None),
        slice(1, 4),
        slice(4, 2),
        slice(None, None, 2),
        slice(None, None, -1),
        [5, 0, 0, -6],
        np.array([], np.int64),
        np.array([True, False, False, True, True, False]),
        (slice(1, 3), -1),
        ([0, 2], slice(1, 3)),
    ],
    ids=str,
)
def test_lazy_rows_are_read_as_an_array_is(key: object, rows: LazyRows) -> None:
    np.testing.assert_array_equal(rows[key], CHOSEN[key])  # type: ignore[index]
    assert (len(rows), rows.shape, rows.dtype, rows.ndim) == (6, (6, 4), np.float16, 2)


@pytest.mark.parametrize("rows", LAZY.values(), ids=LAZY)
def test_lazy_rows_become_an_array_where_one_is_needed(rows: LazyRows) -> None:
    np.testing.assert_array_equal(np.concatenate([rows, rows]), np.concatenate([CHOSEN, CHOSEN]))
    np.testing.assert_array_equal(unit_rows(rows), unit_rows(CHOSEN))


@pytest.mark.parametrize("rows", LAZY.values(), ids=LAZY)
@pytest.mark.parametrize("key", [6, -7, [0, 6], np.ones(5, bool)], ids=str)
def test_rows_that_there_are_not_are_refused(key: object, rows: LazyRows) -> None:
    with pytest.raises(IndexError, match=r"6 rows"):
        rows[key]
