"""An index on a real PostgreSQL server: what others see of it, and when."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from projhead.indexes.base import load_index
from projhead.indexes.pgvector import PgvectorIndex, connected
from projhead.vectors import Vectors

pytest.importorskip("psycopg")


def tables(server: str) -> set[str]:
    with connected(server) as connection:
        found = connection.execute("SELECT relname FROM pg_class WHERE relname ~ '^projhead_[0-9a-f]{12}$'").fetchall()
    return {name for (name,) in found}


def test_nothing_is_there_before_it_is_saved(server: str, rows: Vectors, tmp_path: Path) -> None:
    before = tables(server)
    index = PgvectorIndex(server).build(rows[:500])
    assert tables(server) == before
    index.save(tmp_path / "index")
    index.add(rows[500:]).delete([3])
    other = load_index(tmp_path / "index")
    assert (len(other), other.search(rows[3:4], 1)[1].tolist()) == (500, [[3]])
    index.save(tmp_path / "index")
    assert (other.search(rows[500:510], 5)[1] < 500).all()  # as it was loaded
    again = load_index(tmp_path / "index")
    assert (len(again), again.search(rows[599:], 1)[1].tolist()) == (599, [[599]])
    assert not (again.search(rows[3:4], 5)[1] == 3).any()
    with connected(server) as connection:  # not hidden, but gone
        left = connection.execute(f"SELECT count(*), count(*) FILTER (WHERE place = 3) FROM {again._table}").fetchone()
    assert left == (599, 0)
    PgvectorIndex().build(rows[:50]).save(tmp_path / "index")
    assert len(tables(server) - before) == 1  # the older one is gone
    assert len(load_index(tmp_path / "index")) == 50


def test_a_process_that_is_cut_off_leaves_nothing(server: str, rows: Vectors, tmp_path: Path) -> None:
    PgvectorIndex().build(rows).save(tmp_path / "index")
    lost = load_index(tmp_path / "index").add(rows[:9])
    lost.delete([0])
    with connected(server) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", [lost._connection.info.backend_pid])
    with pytest.raises(ConnectionError, match="load the index again: what was not saved is gone"):
        lost.save(tmp_path / "index")
    loaded = load_index(tmp_path / "index")
    assert (len(loaded), loaded.search(rows[:1], 1)[1].tolist()) == (600, [[0]])
    with connected(server) as connection:
        assert connection.execute(f"SELECT count(*) FROM {loaded._table}").fetchone() == (600,)


def test_hnsw_is_used(server: str, rows: Vectors) -> None:
    index = PgvectorIndex().build(rows)
    index._connection.execute("SET LOCAL enable_seqscan = off")  # so few rows are not worth it
    plan = index._connection.execute(
        f"EXPLAIN SELECT place, embedding <#> %s::vector(32) AS far FROM {index._table} ORDER BY far LIMIT 5",
        [index._vector(rows[0])],
    ).fetchall()
    assert any("Index Scan using projhead" in line for (line,) in plan)


def test_half_as_many_bytes(server: str, rows: Vectors, tmp_path: Path) -> None:
    index = PgvectorIndex(rows="float16").build(rows)
    scores, found = index.search(rows[:50], 1)
    assert found[:, 0].tolist() == list(range(50))
    np.testing.assert_allclose(scores, 1, atol=2e-3)
    index.save(tmp_path / "index")
    assert load_index(tmp_path / "index").rows == "float16"


def test_what_cannot_be_is_refused(server: str, rows: Vectors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = np.random.default_rng(0).normal(size=(3, 2001)).astype(np.float32)
    with pytest.raises(ValueError, match=r"vector up to width 2,000, got 2,001: choose index.rows=float16 or"):
        PgvectorIndex().build(wide)
    assert PgvectorIndex(hnsw=False).build(wide).search(wide, 1)[1].tolist() == [[0], [1], [2]]
    with pytest.raises(ValueError, match="address: it holds a password") as told:
        PgvectorIndex("postgresql://me:hunter2@host/db")
    assert "hunter2" not in str(told.value)
    PgvectorIndex().build(rows).save(tmp_path / "index")
    record = (tmp_path / "index" / "index.json").read_text()
    assert server not in record
    table = json.loads(next((tmp_path / "index").glob("data-*/table.json")).read_text())["table"]
    with connected(server) as connection:
        connection.execute(f"DELETE FROM {table} WHERE place < 5")
    with pytest.raises(ValueError, match=r"expected 600 rows in projhead_.*, found 595; another program changed them"):
        load_index(tmp_path / "index")
    with connected(server) as connection:
        connection.execute(f"DROP TABLE {table}")
    with pytest.raises(ValueError, match=r"expected the table projhead_.*, got none of that name: name the server"):
        load_index(tmp_path / "index")
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")
    with pytest.raises(ConnectionError, match="PostgreSQL, as PGHOST, PGUSER and PGDATABASE name it"):
        load_index(tmp_path / "index")
