from __future__ import annotations

import numpy as np
import pytest

from projhead.exporters.parity import measure
from projhead.vectors import Vectors, unit_rows


def test_numbers_are_those_of_the_naive_formulas(rows: Vectors) -> None:
    reference = rows[:80]
    found = unit_rows(reference + 0.1 * np.random.default_rng(0).normal(size=reference.shape))
    parity = measure(reference, found)
    cosine = [float(a @ b) for a, b in zip(reference, found, strict=True)]
    shared = []
    for row in range(80):
        near = [set(np.argsort(-np.delete(x @ x[row], row))[:10]) for x in (reference, found)]
        shared.append(len(near[0] & near[1]) / 10)
    assert parity.n == 80
    assert parity.mean_cosine == pytest.approx(np.mean(cosine), abs=1e-6)
    assert parity.p1_cosine == pytest.approx(np.percentile(cosine, 1), abs=1e-6)
    assert parity.worst_cosine == pytest.approx(min(cosine), abs=1e-6)
    assert parity.overlap_at_10 == pytest.approx(np.mean(shared), abs=1e-6)


def test_rows_of_another_width_or_too_few_are_refused(rows: Vectors) -> None:
    with pytest.raises(ValueError, match=r"shape \(20, 16\), expected \(20, 32\)"):
        measure(rows[:20], rows[:20, :16])
    with pytest.raises(ValueError, match="more than 10"):
        measure(rows[:10], rows[:10])
