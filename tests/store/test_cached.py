from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from projhead.store.cached import Cached
from projhead.vectors import Vectors, unit_rows


class Counting:
    """An encoder that remembers what it was asked."""

    name, dimension = "counting", 4

    def __init__(self, revision: str) -> None:
        self.revision = revision
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        self.asked += texts
        return unit_rows([np.random.default_rng([*map(ord, text)]).normal(size=4) for text in texts])


def test_the_same_texts_are_encoded_once(tmp_path: Path) -> None:
    texts = ["b", "a", "b"]
    encoder = Counting("r1")
    first = Cached(encoder, tmp_path).encode(texts)
    again = Cached(encoder, str(tmp_path)).encode(texts)
    expected = unit_rows(Counting("r1").encode(texts).astype(np.float16))
    np.testing.assert_allclose(first, expected, atol=1e-6)
    np.testing.assert_array_equal(again, first)
    assert encoder.asked == texts
    again[:] = 0  # a caller's own copy
    np.testing.assert_array_equal(Cached(encoder, tmp_path).encode(texts), first)


def test_other_texts_order_or_revision_are_encoded_anew(tmp_path: Path) -> None:
    encoder, other = Counting("r1"), Counting("r2")
    cached = Cached(encoder, tmp_path)
    for texts in (["ab", "c"], ["a", "bc"], ["c", "ab"]):
        cached.encode(texts)
        Cached(other, tmp_path).encode(texts)
    assert encoder.asked == other.asked == ["ab", "c", "a", "bc", "c", "ab"]
