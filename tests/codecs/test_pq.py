from __future__ import annotations

import faiss
import numpy as np
import pytest

from projhead.codecs.pq import ProductQuantizer
from projhead.vectors import Vectors, unit_rows


def test_codes_and_rows_are_those_of_a_faiss_index(rows: Vectors) -> None:
    codec = ProductQuantizer(8).fit(rows)
    index = faiss.IndexPQ(32, 8, 8, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.min_points_per_centroid = 1
    index.train(rows)
    np.testing.assert_array_equal(codec.encode(rows), index.sa_encode(rows))
    np.testing.assert_allclose(codec.decode(codec.encode(rows)), unit_rows(index.sa_decode(index.sa_encode(rows))))


def test_each_byte_names_the_nearest_centroid(rows: Vectors) -> None:
    codec = ProductQuantizer(4).fit(rows)
    codes = codec.encode(rows)
    for part in range(4):
        values = rows[:, 8 * part : 8 * part + 8].astype(np.float64)
        away = ((values[:, None] - codec.state["centroids"][part][None]) ** 2).sum(2)
        chosen = away[np.arange(len(rows)), codes[:, part]]
        np.testing.assert_allclose(chosen, away.min(1), atol=1e-6)


def test_a_learned_rotation_loses_less_where_dimensions_are_unequal() -> None:
    generator = np.random.default_rng(0)
    rows = unit_rows(generator.normal(size=(2000, 16)) * np.geomspace(1, 0.02, 16))
    lost = []
    for rotate in (False, True):
        codec = ProductQuantizer(2, rotate).fit(rows)
        lost.append(((codec.decode(codec.encode(rows)) - rows) ** 2).sum())
    assert lost[1] < 0.9 * lost[0]
    np.testing.assert_allclose(codec.state["rotation"] @ codec.state["rotation"].T, np.eye(16), atol=1e-5)


def test_fitting_says_nothing(rows: Vectors, capfd: pytest.CaptureFixture[str]) -> None:
    for rotate in (False, True):
        ProductQuantizer(4, rotate).fit(rows)
    assert capfd.readouterr() == ("", "")


def test_what_cannot_be_is_refused(rows: Vectors) -> None:
    with pytest.raises(ValueError, match="pq_12: expected rows of a width that is a multiple of 12 bytes, got 32"):
        ProductQuantizer(12).fit(rows)
    with pytest.raises(ValueError, match="at least 256 rows to learn from, got 255"):
        ProductQuantizer(8).fit(rows[:255])
    with pytest.raises(ValueError, match="n_bytes: expected a positive whole number, got 0"):
        ProductQuantizer(0)
