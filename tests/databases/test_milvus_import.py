"""A server that imports files holds each row once, whatever interrupts the load.

It is started by ``scripts/search_speed/milvus_server.py``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.databases.test_load import WIDTH, N, Rows, _found, store

from projhead.corpora.remote import system_of
from projhead.databases import milvus_import
from projhead.databases.load import database_at, load
from projhead.databases.milvus import Milvus
from projhead.databases.milvus_import import Imports
from projhead.store.arrow import Form
from projhead.store.store import EmbeddingStore

__all__ = ["store"]

FILES = os.environ.get("PROJHEAD_MILVUS_FILES", "")
server = pytest.mark.skipif(not FILES, reason="needs a server of Milvus")


@pytest.fixture(autouse=True)
def several_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(milvus_import, "_FILE", 10_000)  # of 70 rows and more


def _imported(address: str, store: EmbeddingStore) -> Any:
    Path(FILES).mkdir(exist_ok=True)
    (Path(FILES) / "projhead-documents-7.parquet").touch()  # of a load that was killed
    loaded = load(store, database_at(address, files=FILES), batch_rows=50)
    assert loaded.rows == N
    assert loaded.recall is not None
    assert loaded.recall > 0.95
    assert not list(Path(FILES).iterdir())
    from pymilvus import MilvusClient

    client = MilvusClient(f"http://{address.partition('//')[2]}")
    (counted,) = client.query("documents", filter="", output_fields=["count(*)"], consistency_level="Strong")
    assert counted["count(*)"] == N
    assert all(len(set(ids)) == 5 for ids in _found(address, store, loaded))
    (row,) = client.query("documents", filter='id == "doc\'s 7"', output_fields=["text", "embedding"])
    assert row["text"] == store.documents([7])[0].text
    assert row["embedding"] == pytest.approx(Rows().rows[7], abs=1e-3)
    client.close()
    return loaded


@server
def test_milvus_imports_a_store_once(address: Callable[[str], str], store: EmbeddingStore) -> None:
    where = address("milvus")
    assert _imported(where, store).new == N
    assert _imported(where, store).new == N  # what may be there is replaced


@server
@pytest.mark.parametrize("broken", ["write", "rows that were sent"])
def test_an_interrupted_import_of_milvus_goes_on(
    broken: str, address: Callable[[str], str], store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, calls = address("milvus"), 0
    cls: Any = Imports if broken == "write" else Milvus
    name = "write" if cls is Imports else "insert"
    whole = getattr(cls, name)

    def interrupted(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise KeyboardInterrupt
        whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(cls, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            load(store, database_at(where, files=FILES if cls is Imports else None), batch_rows=50)
    _imported(where, store)


@server
def test_what_milvus_still_imports_is_waited_for(
    address: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 60_000  # of which the server has not many when it is asked
    schema = pa.schema({"id": pa.string(), "embedding": pa.list_(pa.float32(), WIDTH)})
    rows = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(n * WIDTH, np.float32)), WIDTH)
    batch = pa.record_batch([pa.array(map(str, range(n))), rows], schema)
    where, form = address("milvus"), Form("float32", WIDTH)
    killed: Any = database_at(where, files=FILES)
    killed.begin(schema, form, "mark")

    def kill(self: Imports, task: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Imports, "_wait", kill)
        with pytest.raises(KeyboardInterrupt):
            killed.insert(batch, 0)
    killed.close()
    base: Any = database_at(where, files=FILES)
    assert base.begin(schema, form, "mark") == n - 20_000  # and the last of them are written once more
    base.insert(batch[n - 20_000 :], n - 20_000)
    base.finish()
    (counted,) = base._client.query("documents", filter="", output_fields=["count(*)"], consistency_level="Strong")
    assert counted["count(*)"] == n
    base.close()


@server
def test_files_that_milvus_cannot_read_are_named(address: Callable[[str], str], store: EmbeddingStore) -> None:
    with pytest.raises(ValueError, match=r"files=memory://bulk: Milvus could not import from there: .*; name the buc"):
        load(store, database_at(address("milvus"), files="memory://bulk"))
    assert not system_of("memory://bulk")[0].ls("/bulk")


def test_a_file_of_milvus_imports_nothing() -> None:
    with pytest.raises(ValueError, match=r"files: a server imports them, got the file milvus://rows.db"):
        database_at("milvus://rows.db", files="s3://a-bucket/bulk")
