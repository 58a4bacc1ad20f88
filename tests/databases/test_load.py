"""What every database must do with a store: hold it once, find what exact search finds, refuse another."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projhead.commands.spelling import spelled
from projhead.data import Document
from projhead.databases.load import Loaded, database_at, load
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.settings.address import checked_address, place
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import Vectors, exact_top_k, unit_rows

N, WIDTH = 240, 32
KINDS = ["postgresql", "lance", "milvus", "qdrant"]


class Rows(OneSided):
    name, dimension = "rows", WIDTH

    def __init__(self, seed: int = 0) -> None:
        self.identity = EncoderIdentity(self.name, f"{seed:016d}", WIDTH)
        rng = np.random.default_rng(seed)
        self.rows = unit_rows(
            rng.normal(size=(30, WIDTH))[rng.integers(12, size=N)] + 0.5 * rng.normal(size=(N, WIDTH))
        )

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self.rows[[int(text.rsplit(" ", 1)[1]) for text in texts]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingStore:
    documents = [Document(f"doc's {i}", f"naïve \x00\t\\N 東京 {i}") for i in range(N)]
    return write_store(tmp_path_factory.mktemp("store") / "s", Rows(), documents, shard_rows=90)


def _found(address: str, store: EmbeddingStore, loaded: Loaded) -> list[list[str]]:
    """Ask an own connection, with queries put into the form of the rows."""
    base = database_at(address)
    from projhead.databases.load import _mark  # the table is opened again as a load does
    from projhead.store.arrow import reader

    schema = reader(store, loaded.form.name, None, 10).schema
    base.begin(schema, loaded.form, _mark(store, schema, loaded.form))
    try:
        return base.search(loaded.form.codes(Rows().rows[:40]), 5)
    finally:
        base.close()


@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_are_there_once_and_found_as_exact_search_finds_them(
    kind: str, address: Callable[[str], str], store: EmbeddingStore
) -> None:
    where = address(kind)
    loaded = load(store, where, batch_rows=50)
    assert (loaded.rows, loaded.new) == (N, N)
    assert loaded.form.name == ("float16" if kind == "postgresql" else "float32")
    assert loaded.recall is not None
    assert loaded.recall > 0.95
    exact = exact_top_k(Rows().rows[:40], unit_rows(store.rows), 5)[1]
    found = _found(where, store, loaded)
    shared = [len({f"doc's {i}" for i in row} & set(ids)) / 5 for row, ids in zip(exact, found, strict=True)]
    assert np.mean(shared) > 0.95
    again = load(store, where, batch_rows=70)  # what may have been sent is sent again, in place of itself
    assert again.new == (0 if kind in ("postgresql", "lance") else N)
    assert again.recall == pytest.approx(loaded.recall, abs=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_load_goes_on(
    kind: str, address: Callable[[str], str], store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = address(kind)
    cls: Any = type(database_at(where))
    whole = cls.insert

    def interrupted(self: Any, batch: Any, first: int) -> None:
        if first >= 100:
            raise KeyboardInterrupt
        whole(self, batch, first)

    with monkeypatch.context() as patch:
        patch.setattr(cls, "insert", interrupted)
        with pytest.raises(KeyboardInterrupt):
            load(store, where, batch_rows=50)
    loaded = load(store, where, batch_rows=50)
    assert loaded.new == (140 if kind in ("postgresql", "lance") else N)
    assert loaded.recall is not None
    assert loaded.recall > 0.95
    found = _found(where, store, loaded)
    assert all(len(set(ids)) == 5 for ids in found)  # nothing is there twice


@pytest.mark.parametrize("kind", KINDS)
def test_another_store_is_never_appended(
    kind: str, address: Callable[[str], str], store: EmbeddingStore, tmp_path: Path
) -> None:
    where = address(kind)
    load(store, where, n_queries=0)
    other = write_store(tmp_path / "other", Rows(1), [Document(f"b{i}", f"x {i}") for i in range(20)])
    with pytest.raises(ValueError, match=r"documents was loaded from something else .*choose another table"):
        load(other, where)
    with pytest.raises(ValueError, match=r"documents was loaded from something else"):
        load(store, where, columns=[])
    with pytest.raises(ValueError, match="int8; choose one of these"):
        load(store, where, rows="int8")
    with pytest.raises(ValueError, match=r"columns: the store .* keeps id, text, got 'year'"):
        load(store, where, columns=["year"])


def test_an_index_that_milvus_refuses_is_told_and_the_load_goes_on(
    address: Callable[[str], str], store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = address("milvus")
    from pymilvus import MilvusClient, MilvusException

    made = MilvusClient.create_index

    def strict(self: Any, name: str, *arguments: Any, **settings: Any) -> None:
        """Do as a server of version 2.3, where milvus-lite takes any index."""
        if name == "documents":
            raise MilvusException(message="efConstruction out of range: [1, 2147483647]")
        made(self, name, *arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(MilvusClient, "create_index", strict)
        expected = r"index_type=HNSW with build_params=None: Milvus says 'efConstruction out .*'; give what it asks for"
        with pytest.raises(ValueError, match=expected):
            load(store, database_at(where, index_type="HNSW"))
    loaded = load(store, where)
    assert (loaded.new, loaded.recall) == (N, pytest.approx(1, abs=0.05))


@pytest.mark.parametrize(("rows", "least"), [("float32", 0.95), ("bit", 0.2)])
def test_postgresql_holds_vectors_and_bits(
    rows: str, least: float, address: Callable[[str], str], store: EmbeddingStore
) -> None:
    import psycopg

    where = address("postgresql")
    loaded = load(store, where, rows=rows)
    assert loaded.recall is not None
    assert loaded.recall > least
    assert loaded.recall == pytest.approx(loaded.form.kept, abs=0.1)
    with psycopg.connect(where) as connection:
        text = connection.execute("SELECT text FROM documents WHERE id = %s", ["doc's 7"]).fetchone()
        assert text == ("naïve \ufffd\t\\N 東京 7",)
        raw = connection.execute("SELECT embedding::text FROM documents WHERE id = %s", ["doc's 7"]).fetchone()
        assert raw is not None
        if rows == "bit":
            assert raw[0] == "".join("1" if value > 0 else "0" for value in store.rows[7])
        else:
            np.testing.assert_allclose(json.loads(raw[0]), unit_rows(store.rows[7:8])[0], atol=1e-6)
        plan = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'documents'").fetchall()
        operators = "bit_hamming_ops" if rows == "bit" else "vector_ip_ops"
        assert any(f"USING hnsw (embedding {operators})" in line for (line,) in plan)


def test_the_recall_that_is_told_counts_what_was_not_found(
    address: Callable[[str], str], store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = address("lance")
    cls: Any = type(database_at(where))
    search = cls.search

    def half(self: Any, queries: Any, top_k: int) -> list[list[str]]:
        return [[*ids[:6], *["doc's 1"] * (top_k - 6)] for ids in search(self, queries, top_k)]

    monkeypatch.setattr(cls, "search", half)
    loaded = load(store, where)
    assert loaded.recall is not None
    assert 0.4 < loaded.recall < 0.62


def test_addresses_are_told_apart_and_secrets_refused_unseen() -> None:
    assert place("milvus://localhost:19530") == ("localhost:19530", "")
    assert place("milvus:///data/rows.db") == (None, "/data/rows.db")
    assert place("qdrant://rows") == (None, "rows")
    for secret in (
        "postgresql://me:hunter2@host/db",
        "postgresql://me@host/db?password=hunter2",
        "qdrant://h:1?api_key=hunter2",
    ):
        with pytest.raises(ValueError, match="set PGPASSWORD") as told:
            checked_address(secret)
        assert "hunter2" not in str(told.value)
        with pytest.raises(ValueError, match="set PGPASSWORD") as told:
            spelled("load", [f"to={secret}"])
        assert "hunter2" not in str(told.value)
    with pytest.raises(ValueError, match=r"expected one of lance://, .*got postgres://; did you mean postgresql\?"):
        database_at("postgres://host/db")
    with pytest.raises(ValueError, match="address: expected one such as"):
        checked_address("tables")
    assert spelled("load", ["to=postgresql://me@h/db?sslmode=require"])[0] == [
        "database=postgresql",
        "database.address='postgresql://me@h/db?sslmode=require'",
    ]


def test_a_database_that_is_not_there_is_named(store: EmbeddingStore) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1/db: .*check the address and PGPASSWORD"):
        load(store, "postgresql://me@127.0.0.1:1/db")
