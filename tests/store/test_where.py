from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from projhead.store.where import matching

TABLE = pa.table(
    {
        "year": [1999, 2001, None, 2005],
        "lang": ["en", "de", "en", None],
        "day": [date(2020, 1, 1), date(2021, 1, 1), date(2022, 1, 1), None],
    }
)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"year": 2001}, [1]),
        ({"year": [1999, 2005, 7]}, [0, 3]),
        ({"year": {"min": 2000}}, [1, 3]),
        ({"year": {"min": 1999, "max": 2001}}, [0, 1]),
        ({"lang": "en"}, [0, 2]),
        ({"lang": "en", "year": {"max": 2030}}, [0]),
        ({"day": {"min": "2020-06-01"}}, [1, 2]),
        ({"day": date(2020, 1, 1)}, [0]),
        ({"lang": []}, []),
    ],
)
def test_rows_meet_every_condition(where: dict[str, Any], expected: list[int]) -> None:
    assert matching(TABLE, where).tolist() == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"colour": 1}, r"expected a column that the store keeps, of 'year', 'lang', 'day'; got 'colour'"),
        ({"year": "long ago"}, r"expected values of int64 for column 'year', got 'long ago'"),
        ({"year": {"from": 1}}, r"expected values of int64 for column 'year', got \{'from': 1\}: expected min and max"),
    ],
)
def test_what_cannot_be_compared_is_refused(where: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        matching(TABLE, where)
