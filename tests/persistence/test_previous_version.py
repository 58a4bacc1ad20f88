"""Folders that older versions wrote are read, and say the same.

``tests/fixtures/v1`` is from before the short names, ``v3`` from before a fingerprint was called so.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import WORDS

from projhead.codecs.base import load_codec
from projhead.collection import Collection
from projhead.data import Document
from projhead.encoders.load import load_encoder
from projhead.indexes.base import load_index
from projhead.indexes.rescore import RescoreIndex
from projhead.persistence.registry import build
from projhead.reducers.base import load_reducer
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import unit_rows

V3 = Path(__file__).parents[1] / "fixtures" / "v3"
V1 = Path(__file__).parents[1] / "fixtures" / "v1"
EXPECTED = np.load(V1 / "expected.npz")


@pytest.mark.parametrize("name", sorted(path.name for path in (V1 / "artifacts").iterdir()))
def test_artifacts(name: str, tmp_path: Path) -> None:
    reducer = load_reducer(V1 / "artifacts" / name)
    np.testing.assert_allclose(reducer.transform(EXPECTED["rows"]), EXPECTED[name], atol=1e-6)
    assert reducer.teacher_ is not None
    assert (reducer.teacher_.name, reducer.teacher_.dimension) == ("tiny", 12)
    reducer.save(tmp_path)  # and once more, as this version writes it
    np.testing.assert_array_equal(
        load_reducer(tmp_path).transform(EXPECTED["rows"]), reducer.transform(EXPECTED["rows"])
    )


@pytest.mark.parametrize("name", ["int8", "pq"])
def test_codecs(name: str) -> None:
    codec = load_codec(V1 / "codecs" / name)
    np.testing.assert_allclose(codec.decode(codec.encode(EXPECTED["rows"])), EXPECTED[f"codec_{name}"], atol=1e-6)


@pytest.mark.parametrize("name", ["float16", "int8"])
def test_stores(name: str) -> None:
    store = EmbeddingStore.open(V1 / "stores" / name)
    np.testing.assert_allclose(unit_rows(np.concatenate(list(store.blocks()))), EXPECTED[f"store_{name}"], atol=1e-6)
    assert store.texts[0] == "The owl sleeps in the old tower."
    encoder = build(store.manifest.spec, "encoder")
    assert (encoder.name, encoder.dimension) == ("all-MiniLM-L6-v2", 384)


@pytest.mark.parametrize("name", ["exact", "faiss", "two_stage"])
def test_indexes(name: str, tmp_path: Path) -> None:
    index = load_index(V1 / "indexes" / name)
    scores, ids = index.search(EXPECTED["query"], 3)
    np.testing.assert_allclose(scores, EXPECTED[f"index_{name}"], atol=1e-6)
    np.testing.assert_array_equal(ids, EXPECTED[f"index_{name}_ids"])
    assert isinstance(index, RescoreIndex) == (name == "two_stage")
    index.save(tmp_path / "again")
    np.testing.assert_array_equal(load_index(tmp_path / "again").search(EXPECTED["query"], 3)[1], ids)


@pytest.mark.parametrize("name", ["sentence_transformers", "onnx"])
def test_exports(name: str) -> None:
    if name == "onnx":
        pytest.importorskip("onnxruntime")
    student = load_encoder(V1 / "exports" / name)
    np.testing.assert_allclose(student.encode(WORDS), EXPECTED["export"], atol=1e-5)


def test_a_store_an_artifact_and_an_index_know_that_they_are_of_one_encoder(tmp_path: Path) -> None:
    shutil.copytree(V3, tmp_path / "v3")
    collection = Collection.open(tmp_path / "v3" / "index", stores=[tmp_path / "v3" / "store"])
    store, reducer = collection.stores[0], load_reducer(tmp_path / "v3" / "artifact")
    assert str(store.identity) == "all-MiniLM-L6-v2 (fingerprint a041a5d7f9a3ab3d, width 384)"
    with np.load(V3 / "expected.npz") as expected:
        np.testing.assert_array_equal(store.rows, expected["rows"])
        np.testing.assert_allclose(reducer.transform(store), expected["reduced"], atol=1e-6)
    assert collection.search("a loud drum", 1)[0].id == "d2"  # by the encoder, built again and found the same
    collection.add(write_store(tmp_path / "more", collection.encoder, [Document("new", "The farm was sold.")]))
    collection.save()
    again = Collection.open(tmp_path / "v3" / "index")
    assert (again.search("a farm was sold", 1)[0].id, again.encoder.identity) == ("new", reducer.teacher_)
