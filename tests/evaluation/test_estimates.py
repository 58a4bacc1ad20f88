"""Sizes as people write them, and what a sample says of more rows."""

from __future__ import annotations

import pytest

from projhead.evaluation.estimates import estimate, size_of


def test_what_falls_goes_on_falling_and_what_rises_stays() -> None:
    assert estimate(0.9, 0.92, 16) == pytest.approx(0.86)
    assert estimate(0.9, 0.8, 16) == 0.9
    assert estimate(0.9, 0.92, 0.5) == 0.9
    assert estimate(0.1, 0.9, 1000) == 0


def test_sizes_are_read_as_people_write_them() -> None:
    sizes = {"32GB": 32e9, "500 MB": 5e8, "8GiB": 8 * 2**30, 1000: 1000, "1.5TB": 1.5e12, "10_000KB": 1e7}
    assert {text: size_of(text) for text in sizes} == sizes
    for bad in ("much", "32 apples", "GB", "-3GB"):
        with pytest.raises(ValueError, match="memory: expected a size such as 32GB"):
            size_of(bad)
