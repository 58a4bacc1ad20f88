"""PostgreSQL with pgvector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from projhead.databases.load import check_mark
from projhead.errors import UserError
from projhead.indexes.pgvector import TYPES, connected, first_line
from projhead.settings.address import checked_address
from projhead.settings.ranges import Count
from projhead.store.arrow import ROWS, Form


class Postgresql:
    """A table with the rows as pgvector's ``halfvec``, ``vector`` or ``bit``, under HNSW (Malkov and Yashunin, 2018).

    Rows come by binary ``COPY``, one transaction for each batch, so that what is there is whole. The password comes
    from ``PGPASSWORD`` or ``~/.pgpass``. PostgreSQL's texts hold no NUL: U+FFFD stands for it. Needs
    ``pip install 'projhead[postgresql]'`` and the extension ``vector`` on the server.

    Parameters
    ----------
    address : str
        ``postgresql://user@host:5432/database``.
    table : str
        Its name, or ``schema.name``.
    m, ef_construction : int
        Of the index: links of a row, and candidates while it is built.
    ef_search : int
        Candidates while it is asked, for the check.
    maintenance_work_mem : str, optional
        Memory for the index, such as ``"2GB"``: it is built many times faster where all of it fits.
    """

    forms = ("float16", "float32", "bit")

    def __init__(
        self,
        address: str,
        table: str = "documents",
        m: Count = 16,
        ef_construction: Count = 64,
        ef_search: Count = 100,
        maintenance_work_mem: str | None = None,
    ) -> None:
        self.address, self.table = checked_address(address), table
        self.m, self.ef_construction, self.ef_search = m, ef_construction, ef_search
        self.maintenance_work_mem = maintenance_work_mem

    def begin(self, schema: pa.Schema, form: Form, mark: str) -> int:
        """Connect, make the table where it is not, and return how many rows it holds.

        Raises
        ------
        UserError
            If pgvector cannot index rows of that width, or the table holds something else.
        """
        from psycopg import sql

        self._form, self._names = form, schema.names
        self._kind, self._operators, self._operator, widest = TYPES[form.name]
        if form.dimension > widest:
            raise UserError(f"pgvector indexes {self._kind} up to width {widest:,}, got {form.dimension:,}")
        self._connection = connected(self.address)
        self._table = sql.Identifier(*self.table.split("."))
        named = self._table.as_string(self._connection)
        exists, found = self._ask("SELECT to_regclass(%s), obj_description(to_regclass(%s))", named, named)[0]
        if exists is None:
            types = {name: sql.SQL(_sql_type(schema.field(name))) for name in schema.names if name != ROWS}
            types[ROWS] = sql.SQL(f"{self._kind}({form.dimension})")
            columns = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(n), t) for n, t in types.items())
            self._run("CREATE TABLE {} ({}, PRIMARY KEY (id))", self._table, columns)
            self._run("COMMENT ON TABLE {} IS {}", self._table, sql.Literal(mark))
            self._connection.commit()
            return 0
        check_mark(found, mark, self.table)
        return int(self._ask(sql.SQL("SELECT count(*) FROM {}").format(self._table))[0][0])

    def insert(self, batch: pa.RecordBatch, first: int) -> None:
        """Copy a batch into the table, all of it or nothing.

        Raises
        ------
        UserError
            If the server refuses the batch.
        """
        from psycopg import errors, sql

        names = sql.SQL(", ").join(map(sql.Identifier, self._names))
        command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(self._table, names)
        types = [self._kind if name == ROWS else _sql_type(batch.schema.field(name)) for name in self._names]
        try:
            with self._connection.cursor() as cursor, cursor.copy(command) as copy:
                copy.set_types(types)
                for row in self._rows(batch):
                    copy.write_row(row)
        except errors.UniqueViolation as error:
            raise UserError(f"{self.table}: {first_line(error)}: ids are unique in a table") from None
        self._connection.commit()

    def _rows(self, batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
        codes = batch.column(ROWS).flatten().to_numpy().reshape(len(batch), -1)
        others = [[_clean(value) for value in batch.column(name).to_pylist()] for name in self._names if name != ROWS]
        yield from zip(*others, self._vectors(codes), strict=True)  # the rows come last, as in the schema

    def _vectors(self, codes: NDArray[Any]) -> Iterator[Any]:
        from pgvector import Bit, HalfVector, Vector

        if self._kind == "bit":
            return (Bit(bits.astype(bool)) for bits in np.unpackbits(codes, axis=1, count=self._form.dimension))
        return map(HalfVector if self._kind == "halfvec" else Vector, codes)

    def finish(self) -> None:
        """Build the index where it is not."""
        from psycopg import sql

        if self.maintenance_work_mem is not None:
            self._run("SET maintenance_work_mem = {}", sql.Literal(self.maintenance_work_mem))
        name = sql.Identifier(f"{self.table.rpartition('.')[2]}_{ROWS}_hnsw")
        settings = sql.SQL(f"m = {int(self.m)}, ef_construction = {int(self.ef_construction)}")
        what = sql.SQL(f"{ROWS} {self._operators}")
        self._run("CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw ({}) WITH ({})", name, self._table, what, settings)
        self._run("ANALYZE {}", self._table)
        self._connection.commit()

    def search(self, queries: NDArray[Any], top_k: int) -> list[list[str]]:
        """Return the ids of the rows nearest to each query, best first."""
        from psycopg import sql

        self._run("SET hnsw.ef_search = {}", sql.Literal(max(int(self.ef_search), top_k)))
        # A cast by size: a bit string of no stated length is another type.
        kind = f"{self._kind}({self._form.dimension})"
        ask = sql.SQL(f"SELECT id FROM {{}} ORDER BY {ROWS} {self._operator} %s::{kind} LIMIT %s").format(self._table)
        return [[row[0] for row in self._ask(ask, query, top_k)] for query in self._vectors(queries)]

    def close(self) -> None:
        """Let go of the connection; what was not committed is gone."""
        if hasattr(self, "_connection"):
            self._connection.close()

    def _run(self, command: str, *parts: Any) -> None:
        from psycopg import sql

        self._connection.execute(sql.SQL(command).format(*parts))

    def _ask(self, command: Any, *values: Any) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._connection.execute(command, values).fetchall()
        return found


def _sql_type(field: pa.Field) -> str:
    kind = field.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_integer(kind):
        return "int8"
    if pa.types.is_floating(kind):
        return "float8"
    if pa.types.is_boolean(kind):
        return "bool"
    raise UserError(f"columns: {field.name} is {kind}, of which PostgreSQL is given none; leave it out")


def _clean(value: Any) -> Any:
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value
