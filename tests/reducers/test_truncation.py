from __future__ import annotations

import numpy as np

from projhead.reducers.truncation import Truncation
from projhead.vectors import Vectors, unit_rows


def test_it_keeps_the_first_columns(rows: Vectors) -> None:
    np.testing.assert_allclose(Truncation(6).fit_transform(rows), unit_rows(rows[:, :6]), atol=1e-6)
