from __future__ import annotations

import tracemalloc

import numpy as np
from tests.indexes.rows import Shards

from projhead.codecs.cast import Cast
from projhead.indexes.exact import ExactIndex
from projhead.vectors import Vectors, unit_rows


def test_codes_are_held_once_while_they_are_made() -> None:
    many: Vectors = unit_rows(np.random.default_rng(0).normal(size=(150_000, 32)))
    shards = Shards(many)
    for made in ("built", "added"):
        index = ExactIndex(Cast("float32"))
        if made == "added":
            index.build(many[:10])
        tracemalloc.start()
        index.build(shards) if made == "built" else index.add(shards)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert index.codes.nbytes <= peak < 1.5 * index.codes.nbytes
        np.testing.assert_allclose(index.codes[-150_000:], many, atol=1e-3)
