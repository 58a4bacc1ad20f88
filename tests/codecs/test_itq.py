from __future__ import annotations

import numpy as np
import pytest

from projhead.codecs.binary import Binary
from projhead.codecs.itq import ITQ
from projhead.vectors import Vectors


def test_its_directions_are_orthonormal_and_say_more_than_random_ones(rows: Vectors) -> None:
    codec = ITQ(16).fit(rows)
    np.testing.assert_allclose(codec.state["rotation"] @ codec.state["rotation"].T, np.eye(16), atol=1e-5)

    def lost(codec: Binary) -> float:
        return float(((codec.decode(codec.encode(rows)) - rows) ** 2).sum())

    assert lost(codec) < 0.8 * min(lost(Binary(16, seed).fit(rows)) for seed in range(5))


def test_more_bits_than_dimensions_are_refused(rows: Vectors) -> None:
    with pytest.raises(ValueError, match="itq_64: expected rows at least as wide as there are bits, got 32"):
        ITQ(64).fit(rows)
