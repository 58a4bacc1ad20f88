from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest

from projhead import PCA, LearnedReducer
from projhead.codecs.integer import Integer
from projhead.data import Document
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.reducers import spectrum
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import Vectors, unit, unit_rows

N, WIDTH, SHARD = 4000, 64, 300


class Numbered(OneSided):
    """Rows of which a text is the number."""

    name, dimension, identity = "numbered", WIDTH, EncoderIdentity("numbered", "0123456789abcdef", WIDTH)
    rows = unit_rows(np.random.default_rng(0).normal(size=(N, WIDTH)) * np.geomspace(1, 0.05, WIDTH))

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self.rows[[int(text) for text in texts]]


@pytest.fixture(scope="module", params=[None, Integer()], ids=["float16", "int8"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EmbeddingStore:
    documents = (Document(str(number), str(number)) for number in range(N))
    path = tmp_path_factory.mktemp("rows") / "store"
    return write_store(path, Numbered(), documents, shard_rows=SHARD, codec=request.param)


KEYS = [
    0,
    -1,
    slice(None),
    slice(250, 950),
    slice(0, 0),
    slice(310, 320),
    [3999, 0, 299, 300, 0],
    np.arange(N) % 7 == 0,
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_rows_of_all_shards_are_those_of_one_array(store: EmbeddingStore, key: object) -> None:
    rows = store.lazy_rows
    np.testing.assert_array_equal(rows[key], store.rows[key])  # type: ignore[index]
    assert (rows.shape, rows.dtype) == (store.rows.shape, store.rows.dtype)


def test_a_fit_to_a_store_is_that_to_its_rows_and_never_holds_them_all(
    store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = PCA(8).fit(store.rows)
    for module in (spectrum, unit):
        monkeypatch.setattr(module, "_BLOCK", 256)
    opened = EmbeddingStore.open(store.folder)  # whose rows nobody has asked for
    tracemalloc.start()
    found = PCA(8).fit(opened)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(found.components_, expected.components_, atol=1e-6)
    assert found.teacher_ == Numbered.identity
    assert peak < N * WIDTH * 2  # as float16, once


def test_a_head_is_trained_on_a_store_as_on_its_rows(store: EmbeddingStore) -> None:
    settings = {"n_components": 4, "max_steps": 3}
    found, expected = LearnedReducer(**settings).fit(store), LearnedReducer(**settings).fit(store.rows)
    np.testing.assert_allclose(found.transform(store), expected.transform(store.rows), atol=1e-5)


def test_fits_to_a_store_share_one_pass(store: EmbeddingStore) -> None:
    with spectrum.one_pass():
        PCA(4).fit(store)
        known = spectrum.spectrum(store.lazy_rows)
        PCA(8, center=False).fit(store)
        assert set(known._known) == {True, False}  # both forms were found in it
