from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from projhead.codecs.cast import Cast
from projhead.vectors import Vectors


@pytest.mark.parametrize(
    ("name", "dtype", "scale"),
    [("float16", np.float16, 1), ("bfloat16", ml_dtypes.bfloat16, 1), ("float8", ml_dtypes.float8_e4m3fn, 448)],
)
def test_codes_are_the_bits_of_other_libraries(name: str, dtype: type, scale: int, rows: Vectors) -> None:
    codec = Cast(name).fit(rows)
    expected = (rows * np.float32(scale)).astype(dtype)
    np.testing.assert_array_equal(codec.encode(rows).view(np.uint8), expected.view(np.uint8))
    values = expected.astype(np.float64) / scale
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    np.testing.assert_allclose(codec.decode(codec.encode(rows)), values, atol=1e-7)


def test_every_float8_is_what_ml_dtypes_says() -> None:
    codes = np.arange(256, dtype=np.uint8)
    codes = codes[np.isfinite(codes.view(ml_dtypes.float8_e4m3fn).astype(np.float32))][:, None]
    codec = Cast("float8").fit(np.ones((1, 2)))
    pairs = np.hstack([codes, np.full_like(codes, 0x38)])  # 0x38 is 1
    values = pairs.view(ml_dtypes.float8_e4m3fn).astype(np.float64)
    decoded = codec.decode(pairs).astype(np.float64)
    np.testing.assert_allclose(decoded[:, 0] / decoded[:, 1], values[:, 0], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(codec.encode(values / 448), pairs)


def test_no_value_of_a_unit_row_is_outside() -> None:
    codec = Cast("float8").fit(np.eye(3))
    np.testing.assert_array_equal(codec.decode(codec.encode(-np.eye(3))), -np.eye(3))
    assert codec.clipped == 0
    codec.encode(np.array([[1.01, 0, -7.0]]))
    assert codec.clipped == 2


def test_codes_that_are_no_number_are_refused() -> None:
    with pytest.raises(ValueError, match="decoded by float8: expected finite values"):
        Cast("float8").fit(np.eye(3)).decode(np.full((1, 3), 0x7F, np.uint8))


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one of float32, float16, bfloat16, float8, got 'float4'"):
        Cast("float4")
