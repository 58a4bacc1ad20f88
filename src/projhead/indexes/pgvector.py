"""PostgreSQL with pgvector: rows in a table of a server."""

from __future__ import annotations

import itertools
import json
import re
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Literal

import numpy as np

from projhead.data import Footprint
from projhead.errors import UserError
from projhead.indexes.base import BaseIndex
from projhead.indexes.ids import Places
from projhead.indexes.rows import unit_blocks
from projhead.protocols import Rows
from projhead.settings.address import checked_address
from projhead.settings.ranges import Count
from projhead.vectors import Vectors

#: pgvector's type of each form of rows, its operator class and operator, and the widest that HNSW takes.
TYPES = {
    "float16": ("halfvec", "halfvec_ip_ops", "<#>", 4000),
    "float32": ("vector", "vector_ip_ops", "<#>", 2000),
    "bit": ("bit", "bit_hamming_ops", "<~>", 64_000),
}
_RECORD = "table.json"
#: Names that we give: a record, which may be a stranger's, can name no other table to us.
_OURS, _MARK = r"projhead_[0-9a-f]{12}", r"[0-9a-f]{32}"
#: The most candidates that HNSW takes.
_MOST = 1000


class PgvectorIndex(BaseIndex):
    """A table of PostgreSQL with pgvector, under HNSW (Malkov and Yashunin, 2018).

    Needs ``pip install 'projhead[postgresql]'`` and pgvector 0.8 or newer on the server. The folder holds the ids and
    the table's name. What is built, added or deleted lies in a transaction until `save`, so that nothing is left of a
    process that is killed. Every row carries the mark of the `build` or `add` that it came with, and a search sees the
    marks that its record names: what another process adds is not seen before the index is loaded again.

    An index is loaded from the server that you name, by `address` or libpq's own variables ``PGHOST``, ``PGUSER``,
    ``PGDATABASE``, never from one that its files name. The password comes from ``PGPASSWORD`` or ``~/.pgpass``.

    Parameters
    ----------
    address : str, optional
        ``postgresql://user@host:5432/database``; libpq's variables where not given.
    rows : {"float32", "float16"}
        pgvector's ``vector``, up to 2,000 dimensions, or ``halfvec``, up to 4,000.
    hnsw : bool
        Whether there is an index; without one every row is compared.
    m, ef_construction : int
        Links of a row, and candidates while the index is built.
    ef_search : int
        Candidates while it is asked, at least `top_k`. Among some rows only, all of these are compared.
    """

    unrecorded = ("address",)
    _connection: Any
    _marks: list[str]

    def __init__(
        self,
        address: str | None = None,
        rows: Literal["float32", "float16"] = "float32",
        hnsw: bool = True,
        m: Count = 16,
        ef_construction: Count = 64,
        ef_search: Count = 100,
    ) -> None:
        self.address = None if address is None else checked_address(address)
        self.rows, self.hnsw = rows, hnsw
        self.m, self.ef_construction, self.ef_search = m, ef_construction, ef_search

    def _connect(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()
        self._connection, self._lock = connected(self.address or ""), RLock()
        self._connection.autocommit = True
        self._where = f"postgresql://{self._connection.info.host}/{self._connection.info.dbname}"
        weakref.finalize(self, self._connection.close)

    @contextmanager
    def _asking(self, *, unsaved: bool = False) -> Iterator[Any]:
        """Yield a cursor, one thread at a time, all of what is done or nothing; `unsaved`: until `save` at the latest.

        Raises
        ------
        ConnectionError
            If the server is gone.
        """
        from psycopg import OperationalError

        try:
            with self._lock:
                if unsaved and not self._connection.info.transaction_status:
                    self._connection.execute("BEGIN")
                with self._connection.transaction(), self._connection.cursor(binary=True) as cursor:
                    yield cursor
        except OperationalError as error:
            raise ConnectionError(
                f"{self._where}: {first_line(error)}; load the index again: what was not saved is gone"
            ) from None

    def _build(self, rows: Rows) -> None:
        kind, operators, _, widest = TYPES[self.rows]
        if self.hnsw and rows.dimension > widest:
            raise ValueError(
                f"pgvector indexes {kind} up to width {widest:,}, got {rows.dimension:,}: choose "
                f"{'index.rows=float16 or ' if self.rows == 'float32' else ''}index.hnsw=false"
            )
        self._connect()
        self._table, self._marks = f"projhead_{uuid.uuid4().hex[:12]}", []
        with self._asking(unsaved=True) as cursor:
            columns = f"place int8, mark uuid, embedding {kind}({rows.dimension}), PRIMARY KEY (place, mark)"
            cursor.execute(f"CREATE TABLE {self._table} ({columns})")
            self._insert(cursor, rows, 0)
            if self.hnsw:
                settings = f"m = {int(self.m)}, ef_construction = {int(self.ef_construction)}"
                cursor.execute(f"CREATE INDEX ON {self._table} USING hnsw (embedding {operators}) WITH ({settings})")
            cursor.execute(f"ANALYZE {self._table}")

    def _add(self, rows: Rows) -> None:
        with self._asking(unsaved=True) as cursor:
            self._insert(cursor, rows, self.ids.n_places)

    def _insert(self, cursor: Any, rows: Rows, place: int) -> None:
        mark, places = uuid.uuid4(), itertools.count(place)
        with cursor.copy(f"COPY {self._table} (place, mark, embedding) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "uuid", TYPES[self.rows][0]])
            for block in unit_blocks(rows):
                for row, number in zip(block, places, strict=False):
                    copy.write_row((number, mark, self._vector(row)))
        self._marks.append(mark.hex)

    def _vector(self, row: Any) -> Any:
        from pgvector import HalfVector, Vector

        return (HalfVector if self.rows == "float16" else Vector)(row)

    def _delete(self, places: Places) -> None:
        """Leave the rows where they are until the deletion is saved."""

    def _search(self, queries: Vectors, top_k: int, filter_ids: Places | None) -> tuple[Vectors, Places]:
        condition, values = self._seen(filter_ids)
        kind = TYPES[self.rows][0]
        command = (
            f"SELECT place, embedding <#> %s::{kind}({self.dimension}) AS far FROM {self._table} "
            f"WHERE {condition} ORDER BY far LIMIT %s"
        )
        scores = np.full((len(queries), top_k), -np.inf, np.float32)
        places = np.full((len(queries), top_k), -1, np.int64)
        with self._asking() as cursor:
            self._look(cursor, top_k, exact=filter_ids is not None)
            for row, query in enumerate(queries):
                found = cursor.execute(command, [self._vector(query), *values, top_k]).fetchall()
                places[row, : len(found)] = [place for place, _ in found]
                scores[row, : len(found)] = [-far for _, far in found]
        return scores, places

    def _look(self, cursor: Any, top_k: int, *, exact: bool) -> None:
        """Say how thoroughly to look: HNSW goes on until it found enough rows that are ours."""
        for name, value in (
            ("hnsw.ef_search", min(max(int(self.ef_search), top_k), _MOST)),
            ("hnsw.iterative_scan", "strict_order"),
            ("enable_indexscan", "off" if exact else "on"),
        ):
            cursor.execute("SELECT set_config(%s, %s, true)", [name, str(value)])

    def _seen(self, filter_ids: Places | None) -> tuple[str, list[Any]]:
        """Return which rows are ours as a condition, and its values: of the saved marks, not deleted."""
        if filter_ids is not None:
            return "mark = ANY(%s::uuid[]) AND place = ANY(%s)", [self._marks, filter_ids.tolist()]
        if gone := self._gone():
            return "mark = ANY(%s::uuid[]) AND place <> ALL(%s)", [self._marks, gone]
        return "mark = ANY(%s::uuid[])", [self._marks]

    def _gone(self) -> list[int]:
        places: list[int] = np.flatnonzero(self.ids.array < 0).tolist()
        return places

    def _write(self, folder: Path) -> None:
        self._check_count("load the index and do it again")
        with self._lock:
            if self._connection.info.transaction_status:
                self._connection.execute("COMMIT")
        (folder / _RECORD).write_text(json.dumps({"table": self._table, "marks": self._marks}), encoding="utf-8")

    def _replaced(self, folder: Path) -> None:
        """Remove what was deleted, or the table of an index in whose place this one is."""
        from psycopg.errors import LockNotAvailable

        old = _record(folder)["table"] if (folder / _RECORD).is_file() else self._table
        with self._asking() as cursor:
            if old == self._table:
                cursor.execute(f"DELETE FROM {self._table} WHERE place = ANY(%s)", [self._gone()])
                return
            cursor.execute("SET LOCAL lock_timeout = '10s'")
            try:
                cursor.execute(f"DROP TABLE IF EXISTS {old}")
            except LockNotAvailable:
                raise UserError(
                    f"{self._where}: the index is saved; the one before is in use by a process that adds to it: "
                    f"DROP TABLE {old} when that has ended"
                ) from None

    def _read(self, folder: Path) -> None:
        record = _record(folder)
        self._table, self._marks = record["table"], record["marks"]
        self._connect()
        with self._asking() as cursor:
            if cursor.execute("SELECT to_regclass(%s)", [self._table]).fetchone()[0] is None:
                raise ValueError(
                    f"{self._where}: expected the table {self._table}, got none of that name: name the server by "
                    "PGHOST, PGUSER and PGDATABASE, or build the index again"
                )
        self._check_count("build the index again")

    def _check_count(self, do: str) -> None:
        condition, values = self._seen(None)
        with self._asking() as cursor:
            count = cursor.execute(f"SELECT count(*) FROM {self._table} WHERE {condition}", values).fetchone()[0]
        if count != len(self.ids):
            raise ValueError(
                f"{self._where}: expected {len(self.ids):,} rows in {self._table}, found {count:,}; another program "
                f"changed them: {do}"
            )

    def _nbytes(self) -> int:
        return self.footprint(self.ids.n_places, self.dimension).memory

    def footprint(self, n: int, dimension: int) -> Footprint:
        """Return the bytes of rows, marks and links on the server; PostgreSQL adds more."""
        size = n * ((2 if self.rows == "float16" else 4) * dimension * (1 + self.hnsw) + 24 + 8 * self.m * self.hnsw)
        return Footprint(size, size)


def connected(address: str) -> Any:
    """Return a connection of psycopg to a server with pgvector.

    Raises
    ------
    ModuleNotFoundError
        If its client is not installed.
    ConnectionError, UserError
        If the server is not there; if it has no pgvector.
    """
    try:
        import psycopg
        from pgvector.psycopg import register_vector
    except ImportError as error:
        raise ModuleNotFoundError(
            "PostgreSQL needs psycopg and pgvector: pip install 'projhead[postgresql]'"
        ) from error
    place = address or "PostgreSQL, as PGHOST, PGUSER and PGDATABASE name it"
    try:
        connection = psycopg.connect(address)
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.commit()
    except psycopg.OperationalError as error:
        raise ConnectionError(f"{place}: {first_line(error)}; start it, or check the address and PGPASSWORD") from None
    except psycopg.Error as error:
        raise UserError(f"{place}: {first_line(error)}; install pgvector there, CREATE EXTENSION vector") from None
    register_vector(connection)
    return connection


def first_line(error: Exception) -> str:
    """Return the first line of what a server says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    if not re.fullmatch(_OURS, record["table"]) or not all(re.fullmatch(_MARK, one) for one in record["marks"]):
        raise ValueError(f"{folder}: expected a table such as projhead_0123456789ab, got {record!r:.200}: refused")
    return record
