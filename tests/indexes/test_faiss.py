from __future__ import annotations

import tracemalloc
from pathlib import Path

import faiss
import numpy as np
import pytest

from projhead.indexes.exact import ExactIndex
from projhead.indexes.faiss import FaissIndex
from projhead.vectors import Vectors
from projhead.vectors.lazy import chosen_rows


def test_the_saved_file_is_stock_faiss(rows: Vectors, tmp_path: Path) -> None:
    index = FaissIndex("IVF8,SQ8", nprobe=3).build(rows)
    index.save(tmp_path)
    stock = faiss.read_index(str(tmp_path / "data-00000" / "index.faiss"))
    faiss.extract_index_ivf(stock).nprobe = 3
    np.testing.assert_array_equal(stock.search(rows[:9], 4)[1], index.search(rows[:9], 4)[1])


def test_answers_are_those_of_stock_faiss_from_the_same_factory_string(rows: Vectors) -> None:
    for factory in ("HNSW16", "IVF8,PQ16np", "PQ16x4fs", "PCA16,SQ8"):
        stock = faiss.index_factory(32, factory, faiss.METRIC_INNER_PRODUCT)
        stock.train(rows)
        stock.add(rows)
        np.testing.assert_array_equal(
            FaissIndex(factory).build(rows).search(rows[:50], 5)[1], stock.search(rows[:50], 5)[1]
        )


@pytest.mark.parametrize("factory", ["HNSW16,PQ16", "IVF8,PQ16np"])
def test_an_index_that_drops_the_inner_product_is_refused(factory: str, rows: Vectors) -> None:
    made = faiss.index_factory(32, factory, faiss.METRIC_INNER_PRODUCT)
    if made.metric_type == faiss.METRIC_INNER_PRODUCT:
        FaissIndex(factory).footprint(10, 32)
    else:  # FAISS 1.15 builds HNSW over product quantizers for L2, whatever is asked
        with pytest.raises(ValueError, match="expected the inner product"):
            FaissIndex(factory).build(rows)


def test_lazy_rows_are_added_block_by_block(rows: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projhead.indexes.rows._BLOCK", 32 * rows.shape[1])
    tracemalloc.start()
    index = FaissIndex("Flat").build(chosen_rows(rows, np.arange(len(rows))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows.nbytes / 2
    expected = FaissIndex("Flat").build(rows).search(rows[:9], 5)
    for found, known in zip(index.search(rows[:9], 5), expected, strict=True):
        np.testing.assert_array_equal(found, known)


def test_what_cannot_be_is_refused(rows: Vectors, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="NoSuchIndex"):
        FaissIndex("NoSuchIndex").build(rows)
    with pytest.raises(ValueError, match=r"FAISS cannot build 'PQ16np' on 5 rows"):
        FaissIndex("PQ16np").build(rows[:5])
    with pytest.raises(ValueError, match="'Flat' has no nprobe to set to 3: leave it out"):
        FaissIndex("Flat", nprobe=3).build(rows)
    ExactIndex().build(rows).save(tmp_path)
    with pytest.raises(ValueError, match=r"expected an index of .*FaissIndex, got .*ExactIndex; use load_index"):
        FaissIndex().load(tmp_path)


@pytest.mark.parametrize(
    "factory",
    ["Flat", "SQ8", "SQfp16", "SQ4", "PQ8np", "PQ16x4fs", "PCA16,SQ8", "IVF32,Flat", "IVF32,SQ8", "IVF32,PQ8x4np",
     "IVF32,PQ16x4fs", "IVF32_HNSW8,Flat", "HNSW16", "HNSW32,SQ8", "RaBitQ", "RaBitQ4", "RR32,RaBitQ", "IVF32,RaBitQ",
     "PQ16x4fs,RFlat", "IVF32,PQ16x4fs,Refine(SQ8)", "RQ4x6"],
)  # fmt: skip
def test_bytes_are_estimated_before_anything_is_trained(factory: str, rows: Vectors) -> None:
    many = np.concatenate([rows + 0.01 * np.random.default_rng(seed).normal(size=rows.shape) for seed in range(10)])
    index = FaissIndex(factory).build(many)
    assert index.nbytes == len(faiss.serialize_index(index.index))
    assert FaissIndex(factory).footprint(len(many), 32).memory == pytest.approx(index.nbytes, rel=0.03, abs=6000)


def test_bytes_that_cannot_be_estimated_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="IndexNSGFlat cannot be estimated"):
        FaissIndex("NSG16").footprint(100, 32)
