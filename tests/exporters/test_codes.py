from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from projhead.codecs.base import BaseCodec
from projhead.codecs.binary import Binary
from projhead.codecs.pq import ProductQuantizer
from projhead.codecs.residual import ResidualQuantizer
from projhead.exporters.codes import FaissCodes
from projhead.exporters.export import write_export
from projhead.heads.linear import Linear
from projhead.indexes.faiss import TrainedFaissIndex
from projhead.reducers.learned import LearnedReducer
from projhead.reducers.pca import PCA
from projhead.vectors import Vectors


def trained(codec: BaseCodec, rows: Vectors) -> LearnedReducer:
    return LearnedReducer(16, codec=codec, head=Linear, max_steps=10, raw_codes=True).fit(rows)


@pytest.mark.parametrize(
    "codec",
    [ProductQuantizer(4), ProductQuantizer(4, rotate=True), ResidualQuantizer(2), ResidualQuantizer(4, 2)],
    ids=lambda codec: codec.name,
)
def test_stock_faiss_gives_the_codecs_scores(codec: BaseCodec, rows: Vectors, tmp_path: Path) -> None:
    reducer = trained(codec, rows)
    path = tmp_path / "export"
    write_export(FaissCodes(), reducer, path, rows, reducer.transform(rows), teacher=None, reducer="learned")
    assert reducer.codec_ is not None
    codes = reducer.codec_.encode(reducer.transform(rows[:500]))
    index = faiss.read_index(str(path / "codes.index"))
    np.testing.assert_array_equal(index.sa_encode(3 * rows[:500]), codes)
    index.add(3 * rows[:500])  # of any length
    scores, numbers = index.search(2 * rows[500:], 7)
    raw = reducer.transform(rows[500:]) @ reducer.codec_._decode(codes).T
    np.testing.assert_allclose(scores, -np.sort(-raw, axis=1)[:, :7], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(raw, numbers, 1), scores, atol=1e-5)
    # What is left to projhead: the length of each document.
    length = np.linalg.norm(reducer.codec_._decode(codes), axis=1)
    unit = reducer.transform(rows[500:]) @ reducer.codec_.decode(codes).T
    np.testing.assert_allclose(unit * length, raw, atol=1e-5)


def test_an_index_is_filled_from_it_and_it_stays_empty(rows: Vectors, tmp_path: Path) -> None:
    reducer = trained(ProductQuantizer(4), rows)
    FaissCodes().write(reducer, tmp_path, rows)
    file = tmp_path / "codes.index"
    index = TrainedFaissIndex(str(file)).build(rows[:300].astype(np.float16))
    index.save(tmp_path / "full")
    assert reducer.codec_ is not None
    stored = reducer.codec_.encode(reducer.transform(rows[:300].astype(np.float16)))
    raw = reducer.transform(rows[:9]) @ reducer.codec_._decode(stored).T
    loaded = TrainedFaissIndex(str(file)).load(tmp_path / "full")
    np.testing.assert_allclose(loaded.search(rows[:9], 5)[0], -np.sort(-raw, axis=1)[:, :5], atol=1e-5)
    assert faiss.read_index(str(file)).ntotal == 0
    with pytest.raises(ValueError, match="expected a trained, empty index of rows of width 16, got width 32"):
        TrainedFaissIndex(str(file)).build(rows[:, :16])
    with pytest.raises(ValueError, match="rows: 300"):
        TrainedFaissIndex(str(tmp_path / "full" / "data-00000" / "index.faiss")).build(rows)


def test_heads_without_codes_and_codes_that_faiss_has_not_are_refused(rows: Vectors, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not trained with a codec.*train with codec=pq:32"):
        FaissCodes().write(PCA(16).fit(rows), tmp_path, rows)
    with pytest.raises(ValueError, match="binary: FAISS has no such codes"):
        FaissCodes().write(trained(Binary(), rows), tmp_path, rows)
    with pytest.raises(ValueError, match="linear, ResidualMLP is not"):
        FaissCodes().write(LearnedReducer(16, codec=ProductQuantizer(4), max_steps=2).fit(rows), tmp_path, rows)
