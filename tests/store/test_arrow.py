"""Rows that leave the store: what they say as they are, in whatever compares them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pytest

from projhead.codecs.integer import Integer
from projhead.data import Document
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.store.arrow import Form
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import Vectors, exact_top_k, unit_rows

N, WIDTH = 1500, 64


class Rows(OneSided):
    """Rows as a reducer's are: of every dimension less than of the one before, some topics, a common mean."""

    name, dimension = "rows", WIDTH
    identity = EncoderIdentity(name, "0123456789abcdef", dimension)

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        topics = rng.normal(size=(60, WIDTH))[rng.integers(60, size=N)]
        spread = np.arange(1, WIDTH + 1) ** -0.4
        self.rows = unit_rows((topics + 0.7 * rng.normal(size=(N, WIDTH)) + 0.3) * spread)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self.rows[[int(text.split()[1]) for text in texts]]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., EmbeddingStore]:
    folder = tmp_path_factory.mktemp("stores")

    def store(name: str = "float32", **options: object) -> EmbeddingStore:
        documents = (Document(f"id {i}", f"text {i}") for i in range(N))
        return write_store(folder / name, Rows(), documents, shard_rows=400, **{"dtype": "float32", **options})  # type: ignore[arg-type]

    return store


def _codes(table: pa.Table) -> np.ndarray:
    return np.concatenate([c.flatten().to_numpy().reshape(len(c), -1) for c in table["embedding"].chunks])


@pytest.mark.parametrize("batch_rows", [97, 400, 5000])
def test_all_rows_ids_and_texts_come_in_order_in_batches(
    stores: Callable[..., EmbeddingStore], batch_rows: int
) -> None:
    reader = stores().to_arrow(batch_rows=batch_rows)
    batches = list(reader)
    assert max(batch.num_rows for batch in batches) == min(batch_rows, N)
    table = pa.Table.from_batches(batches)
    assert table.column_names == ["id", "text", "embedding"]
    assert table["id"].to_pylist() == [f"id {i}" for i in range(N)]
    assert table["text"].to_pylist() == [f"text {i}" for i in range(N)]
    np.testing.assert_allclose(_codes(table), Rows().rows, atol=1e-6)


def test_int8_as_it_is_ranks_as_floats_do(stores: Callable[..., EmbeddingStore]) -> None:
    table = stores().to_arrow("int8").read_all()
    codes, rows = _codes(table), Rows().rows
    assert codes.dtype == np.int8
    raw = codes.astype(np.int32) @ codes.astype(np.int32).T  # what a database computes
    exact = rows @ rows.T
    found, best = (np.argsort(-scores, axis=1, kind="stable")[:, :10] for scores in (raw, exact))
    overlap = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, best, strict=True)])
    assert overlap >= 0.98
    form = Form.of(table.schema)
    assert form.kept == pytest.approx(overlap, abs=0.01)
    inside = np.abs(rows) < 127 * form.scale
    assert inside.mean() > 0.99
    assert np.abs(codes * form.scale - rows)[inside].max() < form.scale / 2 + 1e-6
    # The codes of a codec, with steps of their own, compared raw: why they stay inside.
    steps = Integer(8).fit(rows)
    own = steps.encode(rows).astype(np.int32)
    wrong = np.argsort(-(own @ own.T), axis=1, kind="stable")[:, :10]
    assert np.mean([len(set(a) & set(b)) / 10 for a, b in zip(wrong, best, strict=True)]) < 0.9


def test_bits_are_signs_and_say_what_they_keep(stores: Callable[..., EmbeddingStore]) -> None:
    table = stores().to_arrow("bit", columns=[]).read_all()
    assert table.column_names == ["id", "embedding"]
    codes, rows = _codes(table), Rows().rows
    assert codes.shape == (N, WIDTH // 8)
    np.testing.assert_array_equal(np.unpackbits(codes, axis=1), rows > 0)
    index = faiss.IndexBinaryFlat(WIDTH)
    index.add(codes)
    form = Form.of(table.schema)
    _, found = index.search(form.codes(rows), 10)
    best = exact_top_k(rows, rows, 10)[1]
    overlap = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, best, strict=True)])
    assert form.kept is not None
    assert overlap == pytest.approx(form.kept, abs=0.1)  # the row itself is among these ten
    assert 0.2 < form.kept < 0.9
    assert str(form) == f"rows as bit, which keep {form.kept:.1%} of the 10 nearest on a sample"


def test_a_store_of_codes_hands_over_what_they_stand_for(stores: Callable[..., EmbeddingStore]) -> None:
    store = stores("int8", codec=Integer(8))
    for rows, tolerance in (("float32", 1e-6), ("float16", 1e-3)):
        table = store.to_arrow(rows).read_all()  # type: ignore[arg-type]
        assert str(_codes(table).dtype) == rows
        np.testing.assert_allclose(_codes(table), unit_rows(store.rows), atol=tolerance)


def test_what_is_not_there_is_refused(stores: Callable[..., EmbeddingStore], tmp_path: Path) -> None:
    store = stores()
    with pytest.raises(ValueError, match="rows: expected one of float32, float16, int8, bit, got 'int4'"):
        store.to_arrow("int4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="keeps id, text, got 'year'"):
        store.to_arrow(columns=["year"])
    with pytest.raises(ValueError, match="without its 'projhead' metadata"):
        Form.of(pa.schema([("id", pa.string())]))
    with pytest.raises(ValueError, match="expected rows of width 64, got 3"):
        Form.of(store.to_arrow().schema).codes(np.ones((2, 3)))
    few = write_store(tmp_path / "few", Rows(), [Document("a", "text 0")], dtype="float32")
    assert Form.of(few.to_arrow("bit").schema).kept is None
