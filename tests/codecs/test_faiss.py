from __future__ import annotations

import faiss
import numpy as np
import pytest

from projhead.codecs import _faiss
from projhead.codecs._faiss import matrix_products
from projhead.codecs.pq import ProductQuantizer
from projhead.codecs.residual import ResidualQuantizer
from projhead.indexes.faiss import FaissIndex
from projhead.vectors import unit_rows

ROWS = unit_rows(np.random.default_rng(0).normal(size=(600, 16)))


def test_the_setting_is_put_back_whatever_happens() -> None:
    before = faiss.cvar.distance_compute_blas_threshold
    with pytest.raises(KeyError), matrix_products():
        assert faiss.cvar.distance_compute_blas_threshold == 800
        raise KeyError
    assert faiss.cvar.distance_compute_blas_threshold == before


@pytest.mark.parametrize(
    ("kind", "fit"),
    [
        ("ProductQuantizer", ProductQuantizer(4).fit),
        ("ResidualQuantizer", ResidualQuantizer(2).fit),
        ("OPQMatrix", lambda rows: _faiss.opq_rotation(rows, 4)),
        ("IndexIVF", FaissIndex("IVF4,Flat").build),
    ],
)
def test_whatever_clusters_rows_multiplies_matrices(monkeypatch: pytest.MonkeyPatch, kind: str, fit: object) -> None:
    train, seen = getattr(faiss, kind).train, []

    def spy(*given: object) -> None:
        seen.append(faiss.cvar.distance_compute_blas_threshold)
        train(*given)

    monkeypatch.setattr(getattr(faiss, kind), "train", spy)
    fit(ROWS)  # type: ignore[operator]
    assert set(seen) == {800}


def test_centroids_are_the_same_up_to_rounding() -> None:
    fast = ProductQuantizer(4).fit(ROWS)
    plain = faiss.ProductQuantizer(16, 4, 8)
    plain.cp.min_points_per_centroid = 1
    plain.train(ROWS)
    away = ((ROWS - fast._decode(fast.encode(ROWS))) ** 2).sum()
    assert away == pytest.approx(((ROWS - plain.decode(plain.compute_codes(ROWS))) ** 2).sum(), rel=1e-3)
