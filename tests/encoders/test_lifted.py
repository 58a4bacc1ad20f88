"""Teachers for inner products: exact search with lengths is the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from projhead.codecs.integer import Integer
from projhead.collection import Collection
from projhead.data import Document
from projhead.encoders.lifted import lifted
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.indexes.exact import ExactIndex
from projhead.reducers.base import load_reducer
from projhead.reducers.pca import PCA
from projhead.store.write import write_store
from projhead.students.assemble import assemble
from projhead.vectors import exact_top_k

TEXTS = [f"{verb} {what} {verb}" for verb in ("read", "write", "sort", "index") for what in ("a file", "rows", "words")]


@pytest.fixture
def folder(teacher: SentenceTransformerEncoder, tmp_path: Path) -> Path:
    """A model for inner products, whose rows have lengths."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize

    modules = [module for module in teacher.model if not isinstance(module, Normalize)]
    SentenceTransformer(modules=modules, similarity_fn_name="dot", device="cpu").save_pretrained(str(tmp_path / "dot"))
    return tmp_path / "dot"


def test_each_query_ranks_as_with_lengths() -> None:
    generator = np.random.default_rng(0)
    documents = generator.normal(size=(300, 16)) * generator.uniform(0.2, 3, size=(300, 1))
    queries = generator.normal(size=(40, 16)) * generator.uniform(0.1, 9, size=(40, 1))
    documents, queries = documents.astype(np.float32), queries.astype(np.float32)
    longest = 1.2 * float(np.linalg.norm(documents, axis=1).max())
    rows, asked = lifted(documents, longest, documents=True), lifted(queries, longest, documents=False)
    for one in (rows, asked):
        np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)
    scores, found = exact_top_k(asked, rows, 10)
    exact, expected = exact_top_k(queries, documents, 10)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(scores * longest * np.linalg.norm(queries, axis=1)[:, None], exact, rtol=1e-4)
    cosine = exact_top_k(queries, documents / np.linalg.norm(documents, axis=1, keepdims=True), 10)[1]
    assert (cosine != expected).mean() > 0.5  # lengths matter here
    with pytest.raises(ValueError, match=r"a document's row of length .*; set a length that none exceeds"):
        lifted(documents, longest / 2, documents=True)


def test_lengths_are_never_dropped_in_silence(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"is for inner products, and the lengths .*such as encoder\.longest="):
        SentenceTransformerEncoder(str(folder), device="cpu")
    for longest, expected in ((0.0, "a positive number"), (float("nan"), "none|a positive")):
        with pytest.raises(ValueError, match=expected):
            SentenceTransformerEncoder(str(folder), device="cpu", longest=longest)


def test_store_index_codec_and_heads_keep_lengths(folder: Path, tmp_path: Path) -> None:
    encoder = SentenceTransformerEncoder(str(folder), device="cpu", longest=20.0)
    assert encoder.two_sided
    assert encoder.identity != SentenceTransformerEncoder(str(folder), device="cpu", longest=21.0).identity
    rows = encoder.model.encode(TEXTS, normalize_embeddings=False)
    exact = exact_top_k(rows[:3], rows, 5)[0] / 20 / np.linalg.norm(rows[:3], axis=1)[:, None]
    store = write_store(tmp_path / "store", encoder, (Document(text, text) for text in TEXTS), dtype="float32")
    for index, tolerance in (("exact", 1e-5), ("Flat", 1e-5), (ExactIndex(Integer(8)), 0.01)):
        collection = Collection.build(store, index)
        found = [[hit.score for hit in collection.search(query, 5)] for query in TEXTS[:3]]
        np.testing.assert_allclose(found, exact, atol=tolerance)
    PCA(4).fit(store).save(tmp_path / "artifact")
    load_reducer(tmp_path / "artifact").check_fits(encoder.identity)
    head = PCA(4).fit(store)
    with pytest.raises(ValueError, match=r"assemble: expected a teacher of unit rows, .*longest=20"):
        assemble(encoder, head)
    with pytest.raises(ValueError, match="assemble: expected a teacher of unit rows, got one for inner products"):
        assemble(encoder.model, head)
