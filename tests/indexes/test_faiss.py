from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from projhead.indexes.faiss import FaissIndex
from projhead.vectors import Vectors, exact_top_k


@pytest.mark.parametrize("factory", ["Flat", "IVF8,Flat", "HNSW16", "SQ8"])
def test_any_factory_string_searches_by_inner_product(factory: str, rows: Vectors) -> None:
    nprobe = 8 if factory.startswith("IVF") else None
    scores, found = FaissIndex(factory, nprobe=nprobe).build(rows[:500]).search(3 * rows[500:], 5)
    expected, numbers = exact_top_k(rows[500:], rows[:500], 5)
    np.testing.assert_allclose(scores, expected, atol=0.02)
    shared = [len(set(one) & set(other)) / 5 for one, other in zip(found, numbers, strict=True)]
    assert np.mean(shared) > 0.9


def test_the_saved_file_is_stock_faiss(rows: Vectors, tmp_path: Path) -> None:
    index = FaissIndex("Flat").build(rows)
    index.save(tmp_path / "index.bin")
    stock = faiss.read_index(str(tmp_path / "index.bin"))
    np.testing.assert_array_equal(stock.search(rows[:9], 4)[1], index.search(rows[:9], 4)[1])
    np.testing.assert_array_equal(
        FaissIndex("Flat").load(tmp_path / "index.bin").search(rows[:9], 4)[1], index.search(rows[:9], 4)[1]
    )


def test_more_neighbours_than_rows_are_marked_as_missing(rows: Vectors) -> None:
    _, found = FaissIndex("Flat").build(rows[:3]).search(rows[:1], 5)
    assert (found[0] >= 0).tolist() == [True, True, True, False, False]


def test_what_cannot_be_is_refused(rows: Vectors, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NoSuchIndex"):
        FaissIndex("NoSuchIndex").build(rows)
    with pytest.raises(ValueError, match="build or load"):
        FaissIndex("Flat").search(rows, 3)
    with pytest.raises(ValueError, match=r"width 32.* got 5"):
        FaissIndex("Flat").build(rows).search(np.ones((1, 5)), 3)
    (tmp_path / "bad").write_bytes(b"not an index")
    with pytest.raises(ValueError, match="damaged"):
        FaissIndex("Flat").load(tmp_path / "bad")
    faiss.write_index(faiss.IndexFlatL2(4), str(tmp_path / "l2"))
    with pytest.raises(ValueError, match="inner product"):
        FaissIndex("Flat").load(tmp_path / "l2")
