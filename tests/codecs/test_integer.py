from __future__ import annotations

import numpy as np
import pytest

from projhead.codecs.integer import Integer
from projhead.vectors import Vectors, unit_rows


@pytest.mark.parametrize(("bits", "quantile"), [(8, 1.0), (8, 0.99), (4, 1.0), (4, 0.98)])
def test_codes_and_values_follow_the_formula(bits: int, quantile: float, rows: Vectors) -> None:
    codec, top = Integer(bits, quantile).fit(rows), 2 ** (bits - 1) - 1
    expected, clipped = np.empty(rows.shape), 0
    for j in range(rows.shape[1]):
        step = np.float32(np.quantile(np.abs(rows[:, j]), quantile) / top)
        for i in range(len(rows)):
            wanted = round(float(rows[i, j] / step))
            clipped += abs(wanted) > top
            expected[i, j] = min(max(wanted, -top), top) * float(step)
    decoded = codec.decode(codec.encode(rows))
    np.testing.assert_allclose(decoded, unit_rows(expected), atol=1e-6)
    assert codec.clipped == clipped
    assert (clipped > 0) == (quantile < 1)


def test_two_values_share_a_byte_the_earlier_in_the_low_half() -> None:
    rows = np.array([[7, -7, 3], [-1, 0, 2], [7, 7, 7]]) / 7  # the step is 1/7 in each dimension
    codes = Integer(4, 1.0).fit(rows).encode(rows)
    assert codes.tolist() == [[0x1F, 0x0B], [0x87, 0x0A], [0xFF, 0x0F]]


def test_what_is_inside_is_off_by_half_a_step_at_most(rows: Vectors) -> None:
    codec = Integer(8, 1.0).fit(rows)
    lengths = np.linalg.norm(codec.encode(rows) * codec.state["step"], axis=1, keepdims=True)
    off = np.abs(codec.decode(codec.encode(rows)) * lengths - rows)
    assert (off <= codec.state["step"] / 2 + 1e-6).all()


def test_a_dimension_that_is_always_zero_stays_zero() -> None:
    rows = unit_rows([[1.0, 0, 1], [1, 0, -2]])
    codec = Integer().fit(rows)
    assert (codec.decode(codec.encode(rows))[:, 1] == 0).all()
    assert codec.clipped == 0
    np.testing.assert_allclose(codec.decode(codec.encode(unit_rows([[1.0, 0.5, 1]])))[:, 1], 0, atol=1e-12)
    assert codec.clipped == 1


def test_rows_that_are_all_zero_stay_zero(rows: Vectors) -> None:
    for bits in (4, 8):
        codec = Integer(bits).fit(rows)
        assert not codec.decode(codec.encode(np.zeros((1, 32)))).any()


def test_per_dimension_steps_serve_unequal_dimensions_better_than_one(rows: Vectors) -> None:
    unequal = unit_rows(rows * np.geomspace(1, 0.01, 32))
    codec = Integer(4, 1.0).fit(unequal)
    each = codec.decode(codec.encode(unequal))
    step = np.abs(unequal).max() / 7
    one = unit_rows(np.rint(unequal / step) * step)
    assert ((each - unequal) ** 2).sum() < 0.5 * ((one - unequal) ** 2).sum()


@pytest.mark.parametrize(("arguments", "said"), [((2,), "bits"), ((8, 0), "quantile"), ((8, 1.5), "quantile")])
def test_what_cannot_be_is_refused(arguments: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=f"{said}: expected"):
        Integer(*arguments)
