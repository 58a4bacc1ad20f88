"""The recipes of docs/guides/databases.md, each run where its library is, against exact search."""

from __future__ import annotations

import re
import sqlite3
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from projhead.data import Document
from projhead.encoders.one_sided import OneSided
from projhead.persistence.identity import EncoderIdentity
from projhead.store.store import EmbeddingStore
from projhead.store.write import write_store
from projhead.vectors import Vectors, exact_top_k

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "databases.md").read_text(encoding="utf-8")
RECIPES = {
    name: re.findall(r"```py\n(.*?)```", text, re.DOTALL)[0]
    for name, text in re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
}
LIBRARIES = {
    "Chroma": "chromadb",
    "DuckDB": "duckdb",
    "hnswlib": "hnswlib",
    "sqlite-vec": "sqlite_vec",
    "usearch": "usearch",
}


@pytest.fixture(scope="module")
def store(rows: Vectors, tmp_path_factory: pytest.TempPathFactory) -> EmbeddingStore:
    class Numbered(OneSided):
        name, dimension = "numbered", rows.shape[1]
        identity = EncoderIdentity(name, "feed", dimension)

        def encode(self, texts: list[str], *, show_progress: bool = False) -> Vectors:
            return rows[[int(text) for text in texts]]

    documents = (Document(f"id {number}", str(number)) for number in range(500))
    return write_store(tmp_path_factory.mktemp("store") / "store", Numbered(), documents, dtype="float32")  # type: ignore[arg-type]


def test_every_recipe_is_run() -> None:
    assert RECIPES.keys() == LIBRARIES.keys()


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_recipe_finds_what_exact_search_finds(
    name: str, store: EmbeddingStore, rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(LIBRARIES[name])
    if name == "sqlite-vec" and not hasattr(sqlite3.Connection, "enable_load_extension"):
        loads = pytest.importorskip(
            "pysqlite3", reason="this Python's sqlite loads no extensions, nor is there pysqlite3"
        )
        monkeypatch.setitem(sys.modules, "sqlite3", loads)
    monkeypatch.chdir(tmp_path)
    query = rows[555]
    done: dict[str, Any] = {"store": store, "query": query}
    exec(RECIPES[name], done)
    _, nearest = exact_top_k(query[None], rows[:500], 10)
    assert len(set(done["found"]) & {f"id {number}" for number in nearest[0]}) >= 9
    assert done["found"][0] == f"id {nearest[0][0]}"


def test_queries_go_into_the_form_of_the_rows(store: EmbeddingStore, rows: Vectors) -> None:
    done: dict[str, Any] = {"store": store, "queries": rows[550:560]}
    exec(re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)[0], done)
    stored = np.concatenate([b["embedding"].flatten().to_numpy().reshape(len(b), -1) for b in done["reader"]])
    found = exact_top_k(done["codes"].astype(np.float32), stored.astype(np.float32), 1)[1]
    assert (found == exact_top_k(rows[550:560], rows[:500], 1)[1]).mean() >= 0.9
