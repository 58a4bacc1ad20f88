from __future__ import annotations

import numpy as np
import pytest

from projhead.codecs.binary import Binary
from projhead.vectors import Vectors, unit_rows


def test_bits_and_levels_follow_the_formula(rows: Vectors) -> None:
    codec = Binary().fit(rows)
    codes, expected = codec.encode(rows), np.empty(rows.shape)
    for j in range(32):
        above = rows[:, j] > np.median(rows[:, j])
        assert above.sum() == 300
        bits = codes[:, j // 8] >> (7 - j % 8) & 1
        np.testing.assert_array_equal(bits, above)
        expected[:, j] = np.where(above, rows[above, j].mean(dtype=np.float64), rows[~above, j].mean(dtype=np.float64))
    np.testing.assert_allclose(codec.decode(codes), unit_rows(expected), atol=1e-6)


@pytest.mark.parametrize("n_bits", [8, 20, 32, 80])
def test_a_float_query_meets_the_levels_in_the_rotated_space(n_bits: int, rows: Vectors) -> None:
    codec = Binary(n_bits, random_state=3).fit(rows)
    rotation = codec.state["rotation"].astype(np.float64)
    small = rotation @ rotation.T if n_bits <= 32 else rotation.T @ rotation
    np.testing.assert_allclose(small, np.eye(min(n_bits, 32)), atol=1e-6)
    turned = rows @ rotation.T
    above = turned > np.median(turned, axis=0)
    levels = np.where(above, turned.mean(0, where=above), turned.mean(0, where=~above))  # (n, bits)
    lengths = np.linalg.norm(levels @ rotation, axis=1)
    scores = rows[:9] @ codec.decode(codec.encode(rows)).T
    np.testing.assert_allclose(scores, (turned[:9] @ levels.T) / lengths, atol=2e-5)


def test_more_bits_than_dimensions_lose_less(rows: Vectors) -> None:
    lost = []
    for n_bits in (16, 32, 128, 512):
        codec = Binary(n_bits).fit(rows)
        lost.append(((codec.decode(codec.encode(rows)) - rows) ** 2).sum())
    assert lost == sorted(lost, reverse=True)
    assert lost[-1] < 0.25 * lost[0]


def test_seeds_give_rotations_of_their_own(rows: Vectors) -> None:
    first, again, other = (Binary(16, seed).fit(rows).encode(rows) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_a_constant_dimension_says_its_constant() -> None:
    rows = np.array([[0.6, 0.8], [0.6, -0.8], [0.6, 0.8]], np.float32)
    np.testing.assert_allclose(Binary().fit(rows).decode(Binary().fit(rows).encode(rows))[:, 0] > 0, True)


@pytest.mark.parametrize("n_bits", [0, -1, 2.5, "8"])
def test_what_cannot_be_is_refused(n_bits: object) -> None:
    with pytest.raises(ValueError, match="n_bits: expected a positive whole number"):
        Binary(n_bits)  # type: ignore[arg-type]
