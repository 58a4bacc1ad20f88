"""Collections, from Python: by text, vector and id, moved, grown and refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from projhead.collection import Collection
from projhead.data import Document
from projhead.encoders.precomputed import Precomputed
from projhead.encoders.reduced import Reduced
from projhead.indexes.exact import ExactIndex
from projhead.reducers.pca import PCA
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import unit_rows

TEXTS = [f"text {number}" for number in range(60)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Vectors, and two stores of 40 and 20 rows of them."""
    rows = unit_rows(np.random.default_rng(0).standard_normal((60, 16)))
    root = tmp_path / "root"
    root.mkdir()
    np.save(root / "rows.npy", rows)
    (root / "texts.txt").write_text("\n".join(TEXTS))
    encoder = Precomputed(str(root / "rows.npy"), texts=str(root / "texts.txt"))
    for name, part in (("one", TEXTS[:40]), ("two", TEXTS[40:])):
        write_store(root / "stores" / name, encoder, (Document(f"id {text}", text) for text in part), dtype="float32")
    return root


def _store(root: Path, name: str) -> EmbeddingStore:
    return EmbeddingStore.open(root / "stores" / name)


@pytest.mark.parametrize(
    "index",
    ["Flat", "HNSW16", "exact", "rescore", ExactIndex()],
    ids=lambda one: one if isinstance(one, str) else "object",
)
def test_text_vector_and_id_find_the_same(index: str | ExactIndex, root: Path) -> None:
    collection = Collection.build(_store(root, "one"), index, out=root / "index")
    rows = np.load(root / "rows.npy")
    by_text = collection.search(TEXTS[7], top_k=4)
    assert by_text[0].id == "id text 7"
    assert by_text[0].text == TEXTS[7]
    assert by_text[0].score == pytest.approx(1, abs=1e-3)
    found = [hit.id for hit in by_text]
    assert [hit.id for hit in collection.search(rows[7], top_k=4)] == found
    assert [hit.id for hit in collection.search([TEXTS[7], TEXTS[8]], top_k=4)[0]] == found
    assert [hit.id for hit in collection.search(rows[[8, 7]], top_k=4)[1]] == found
    assert [hit.id for hit in collection.similar("id text 7", 3)] == found[1:]
    assert 30 < len(collection.search(rows[7], top_k=10**30)) <= 40
    assert 30 < len(collection.similar("id text 7", 10**30)) <= 39
    exact = rows[:40] @ rows[7] / np.linalg.norm(rows[:40], axis=1)
    assert found == [f"id text {number}" for number in np.argsort(-exact)[:4]]


def test_what_was_added_and_deleted_is_there_when_opened_again(root: Path) -> None:
    collection = Collection.build(_store(root, "one"), "exact", out=root / "index").add(_store(root, "two"))
    assert collection.delete(["id text 3", "id text 50"]) == 2
    collection.save()
    again = Collection.open(root / "index")
    assert again.ids == [f"id {text}" for text in TEXTS if text not in ("text 3", "text 50")]
    assert again.search(TEXTS[55], 1)[0].id == "id text 55"
    assert {hit.id for hit in again.search(TEXTS[55], 9, filter_ids=["id text 1", "id text 41"])} == {
        "id text 1",
        "id text 41",
    }
    for wrong, message in (
        (["id text 3"], "'id text 3' is not in the index"),
        (["x"], "'x' is not in the index"),
        (["\udc80"], "is not in the index"),
    ):
        with pytest.raises(ValueError, match=message):
            again.search(TEXTS[0], filter_ids=wrong)
    with pytest.raises(ValueError, match=r"document 'id text 0' is in the index already \(39 such\)"):
        again.add(_store(root, "one"))


def test_vectors_of_the_teacher_go_through_the_head_of_the_documents(root: Path) -> None:
    encoder = Precomputed(str(root / "rows.npy"), texts=str(root / "texts.txt"))
    PCA(4).fit(np.load(root / "rows.npy")).save(root / "head", teacher=encoder.identity)
    store = write_store(root / "reduced", Reduced(encoder, root / "head"), [Document(text, text) for text in TEXTS])
    collection = Collection.build(store, "exact", out=root / "index")
    for one in (collection, Collection.open(root / "index")):
        hit = one.search(np.load(root / "rows.npy")[9], top_k=1)[0]
        assert (hit.id, hit.score) == (TEXTS[9], pytest.approx(1, abs=1e-3))
        with pytest.raises(ValueError, match="queries: expected width 4"):
            one.search(np.ones(5))


def test_index_and_stores_move_together(root: Path, tmp_path: Path) -> None:
    expected = Collection.build(_store(root, "one"), out=root / "index").search(TEXTS[5], 3)
    rows = np.load(root / "rows.npy")
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved)
    shutil.rmtree(root / "stores")
    assert Collection.open(moved / "index").search(rows[5], 3) == expected
    with pytest.raises(FileNotFoundError, match="move both together, or say where it is"):
        Collection.open(root / "index")
    found = Collection.open(root / "index", stores=[moved / "stores" / "one"])
    assert found.search(rows[5], 3) == expected
    with pytest.raises(ValueError, match="was written again after the index"):
        Collection.open(root / "index", stores=[moved / "stores" / "two"])
    with pytest.raises(ValueError, match="expected 1, those of the index"):
        Collection.open(root / "index", stores=[])


def test_an_index_of_no_store_is_refused(root: Path) -> None:
    ExactIndex().build(np.eye(3)).save(root / "bare")
    with pytest.raises(ValueError, match="does not say which stores it is of"):
        Collection.open(root / "bare")
    with pytest.raises(ValueError, match="expected the folder to write the index to"):
        Collection.build(_store(root, "one")).save()
