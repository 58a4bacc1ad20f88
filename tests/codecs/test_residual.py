from __future__ import annotations

import faiss
import numpy as np
import pytest

from projhead.codecs._faiss import matrix_products
from projhead.codecs.residual import ResidualQuantizer
from projhead.vectors import Vectors, unit_rows


def test_codes_and_rows_are_those_of_a_faiss_quantizer(rows: Vectors) -> None:
    codec = ResidualQuantizer(1, beam=5).fit(rows)
    quantizer = faiss.ResidualQuantizer(32, 1, 8)
    quantizer.train_type |= faiss.ResidualQuantizer.Train_refine_codebook
    quantizer.max_beam_size = 5
    with matrix_products():  # another way to add numbers up leads to other clusters of as much use
        quantizer.train(rows)
    np.testing.assert_array_equal(codec.encode(rows), quantizer.compute_codes(rows))
    np.testing.assert_allclose(
        codec.decode(codec.encode(rows)), unit_rows(quantizer.decode(quantizer.compute_codes(rows))), atol=1e-6
    )


def test_groups_are_coded_each_by_itself(rows: Vectors) -> None:
    codec = ResidualQuantizer(4, n_splits=2, beam=1).fit(rows)
    half = ResidualQuantizer(2, beam=1).fit(np.ascontiguousarray(rows[:, 16:]))
    np.testing.assert_array_equal(codec.encode(rows)[:, 2:], half.encode(rows[:, 16:]))


def test_a_wider_beam_loses_less(rows: Vectors) -> None:
    codec = ResidualQuantizer(3, beam=1).fit(rows[:400])
    lost = []
    for codec.beam in (1, 8):
        lost.append(((codec.decode(codec.encode(rows[400:])) - rows[400:]) ** 2).sum())
    assert lost[1] < lost[0]


def test_what_cannot_be_is_refused(rows: Vectors) -> None:
    with pytest.raises(ValueError, match=r"prq_6: expected rows of a width that is a multiple of 3 groups, got 32"):
        ResidualQuantizer(6, n_splits=3).fit(rows)
    with pytest.raises(ValueError, match="n_bytes: expected a multiple of n_splits = 4, got 6"):
        ResidualQuantizer(6, n_splits=4)
    with pytest.raises(ValueError, match="at least 256 rows to learn from, got 255"):
        ResidualQuantizer(4).fit(rows[:255])
    with pytest.raises(ValueError, match="beam: expected a positive whole number, got 0"):
        ResidualQuantizer(4, beam=0)


@pytest.mark.parametrize("n_splits", [1, 2])
def test_faiss_makes_the_same_codes_and_reads_them_alike(n_splits: int, rows: Vectors) -> None:
    codec = ResidualQuantizer(4, n_splits).fit(rows)
    index = codec.to_faiss()
    np.testing.assert_array_equal(index.sa_encode(rows), codec.encode(rows))
    np.testing.assert_allclose(index.sa_decode(codec.encode(rows)), codec._decode(codec.encode(rows)), atol=1e-6)
