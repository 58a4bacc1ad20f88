from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import projhead.store.cached
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.store.cached import Cached
from projhead.vectors import Vectors, unit_rows


class Counting(OneSided):
    """An encoder that remembers what it was asked."""

    name, dimension = "counting", 4

    def __init__(self, revision: str) -> None:
        self.identity = EncoderIdentity(self.name, revision, self.dimension)
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


def test_a_store_is_opened_once_in_the_dtype_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = Cached(Counting("r1"), tmp_path, dtype="float32")
    first = cached.encode(["b", "a"])
    np.testing.assert_allclose(first, Counting("r1").encode(["b", "a"]), atol=1e-7)
    monkeypatch.setattr(projhead.store.cached, "write_store", None)
    np.testing.assert_array_equal(cached.encode(["b", "a"]), first)
    assert all("rows" not in vars(store) for store in cached._stores.values())  # no copy beside the caller's own


def test_other_texts_order_or_fingerprint_are_encoded_anew(tmp_path: Path) -> None:
    encoder, other = Counting("r1"), Counting("r2")
    cached = Cached(encoder, tmp_path)
    for texts in (["ab", "c"], ["a", "bc"], ["c", "ab"]):
        cached.encode(texts)
        Cached(other, tmp_path).encode(texts)
    assert encoder.asked == other.asked == ["ab", "c", "a", "bc", "c", "ab"]
