from __future__ import annotations

import numpy as np
import pytest

from projhead.codecs.sparse import Sparse
from projhead.indexes.exact import ExactIndex
from projhead.vectors import Vectors, exact_top_k, unit_rows


def test_the_largest_values_are_kept_and_the_others_are_zero(rows: Vectors) -> None:
    codec = Sparse(40).fit(rows)
    decoded = codec.decode(codec.encode(rows))
    expected = np.zeros_like(rows)
    for row, kept in zip(expected, rows, strict=True):
        best = np.argsort(-np.abs(kept))[:10]
        row[best] = kept[best].astype(np.float16)
    np.testing.assert_allclose(decoded, unit_rows(expected), atol=1e-6)


def test_sparse_products_are_those_of_filled_rows(rows: Vectors) -> None:
    codec = Sparse(24).fit(rows)
    codes = codec.encode(rows)
    np.testing.assert_allclose(codec.similarities(rows[:50], codes), rows[:50] @ codec.decode(codes).T, atol=1e-6)
    scores, _ = ExactIndex(Sparse(24)).build(rows).search(rows[:50], 5)
    np.testing.assert_allclose(scores, exact_top_k(rows[:50], codec.decode(codes), 5)[0], atol=1e-6)


def test_rows_that_are_sparse_lose_nothing_but_half_a_float(rows: Vectors) -> None:
    thin = np.where(np.abs(rows) >= np.sort(np.abs(rows), axis=1)[:, -8:-7], rows, 0)
    codec = Sparse(32).fit(thin)
    np.testing.assert_allclose(codec.decode(codec.encode(thin)), unit_rows(thin), atol=1e-3)


def test_widths_and_sizes_that_cannot_be_are_refused(rows: Vectors) -> None:
    for bad in (0, 3, 30, 4.0):
        with pytest.raises(ValueError, match="expected a multiple of 4"):
            Sparse(bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected rows of a width from 64"):
        Sparse(256).fit(rows)
