"""Milvus: a server, or a file of milvus-lite."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from projhead.console.quiet import quiet
from projhead.databases.load import check_mark
from projhead.databases.milvus_import import Imports
from projhead.errors import UserError
from projhead.settings.address import place
from projhead.store.arrow import ROWS, Form

#: Bytes of a text, and the most rows that one request may ask for, as Milvus has them.
_LONGEST = 65_535
#: Rows that an interrupted load may have sent without being told so: they are sent again, in place of themselves.
_AGAIN = 20_000


class Milvus:
    """A Milvus collection of which ``id`` is the key, so that rows sent twice are there once.

    A collection beside it, ``<table>_projhead``, says what the rows are. The token comes from ``MILVUS_TOKEN``.
    Needs ``pip install 'projhead[milvus]'``.

    Parameters
    ----------
    address : str
        ``milvus://host:19530``, or ``milvus://rows.db`` for a file of milvus-lite.
    table : str
        The collection.
    tls : bool
        Whether the server is asked by https.
    files : str, optional
        Where the server reads files from, such as ``"s3://a-bucket/bulk"`` for the bucket ``a-bucket`` of its settings:
        float32 rows are put there as Parquet and imported, instead of being sent.
    index_type : str
        Milvus's name: ``"AUTOINDEX"``, ``"HNSW"``, ``"IVF_FLAT"``, ...
    build_params, search_params : dict, optional
        Milvus's settings of that kind, such as ``{"M": 16, "efConstruction": 200}`` and ``{"ef": 64}``.
    """

    def __init__(
        self,
        address: str,
        table: str = "documents",
        tls: bool = False,
        files: str | None = None,
        index_type: str = "AUTOINDEX",
        build_params: dict[str, Any] | None = None,
        search_params: dict[str, Any] | None = None,
    ) -> None:
        server = place(address)[0] is not None
        if files and not server:
            raise UserError(f"files: a server imports them, got the file {address}; leave files out")
        self.forms = ("float32", "float16") if server and not files else ("float32",)  # milvus-lite has no other
        self.address, self.table, self.tls, self.files = address, table, tls, files
        self.index_type, self.build_params, self.search_params = index_type, build_params, search_params
        self._imports: Imports | None = None
        self._maybe = 0  # before this row the table may hold what is inserted

    def begin(self, schema: pa.Schema, form: Form, mark: str) -> int:
        """Connect, make the collection where it is not, and return how many rows are surely there."""
        self._connect()
        self._beside = f"{self.table}_projhead"
        new = not self._client.has_collection(self.table)
        if new:
            self._create(schema, form, mark)
        check_mark(self._told(), mark, self.table)
        if not self._client.list_indexes(self.table):  # a load may have ended before there was one
            self._index()
        if self._imports:
            self._imports.begin()
        self._load()
        if new:
            return 0
        (row,) = self._client.query(self.table, filter="", output_fields=["count(*)"], consistency_level="Strong")
        here = int(row["count(*)"])
        self._maybe = here + _AGAIN
        return max(here - _AGAIN, 0)

    def _connect(self) -> None:
        try:
            from pymilvus import MilvusClient, MilvusException
        except ImportError as error:
            raise ModuleNotFoundError("to=milvus://... needs pymilvus: pip install 'projhead[milvus]'") from error
        host, path = place(self.address)
        token = os.environ.get("MILVUS_TOKEN", "") if host else ""
        uri = f"http{'s' * self.tls}://{host}" if host else path
        try:
            self._client = MilvusClient(uri, token=token)
        except MilvusException as error:
            raise ConnectionError(f"{self.address}: {error.message}; start it, or check MILVUS_TOKEN") from None
        if self.files:
            self._imports = Imports(self.files, self.table, uri, token)

    def _told(self) -> str | None:
        """Return what the collection beside it says that the rows are: a file of milvus-lite keeps no description."""
        if not self._client.has_collection(self._beside):
            return None
        self._client.load_collection(self._beside)
        rows = self._client.query(self._beside, filter='mark != ""', output_fields=["mark"], consistency_level="Strong")
        return str(rows[0]["mark"]) if rows else None

    def _tell(self, mark: str) -> None:
        from pymilvus import DataType

        if self._client.has_collection(self._beside):  # of a load that ended here
            self._client.drop_collection(self._beside)
        made = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        made.add_field("mark", DataType.VARCHAR, max_length=_LONGEST, is_primary=True)
        made.add_field("unused", DataType.FLOAT_VECTOR, dim=2)  # every collection has one
        params = self._client.prepare_index_params()
        params.add_index("unused", index_type="FLAT", metric_type="IP")
        self._client.create_collection(self._beside, schema=made, index_params=params)
        self._client.insert(self._beside, [{"mark": mark, "unused": [0.0, 0.0]}])
        self._client.flush(self._beside)

    def _create(self, schema: pa.Schema, form: Form, mark: str) -> None:
        from pymilvus import DataType

        if others := [one.name for one in schema if one.name != ROWS and not _is_text(one.type)]:
            raise UserError(f"columns: Milvus is given texts only, got {', '.join(others)}; leave them out")
        self._tell(mark)
        made = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        for name in schema.names[:-1]:
            made.add_field(
                name, DataType.VARCHAR, max_length=_LONGEST, **({"is_primary": True} if name == "id" else {})
            )
        kind = DataType.FLOAT_VECTOR if form.name == "float32" else DataType.FLOAT16_VECTOR
        made.add_field(ROWS, kind, dim=form.dimension)
        self._client.create_collection(self.table, schema=made)

    def _index(self) -> None:
        from pymilvus import MilvusException

        params = self._client.prepare_index_params()
        params.add_index(ROWS, index_type=self.index_type, metric_type="IP", params=dict(self.build_params or {}))
        try:
            with quiet("pymilvus", level=logging.CRITICAL):  # it logs what it raises
                self._client.create_index(self.table, params)
        except MilvusException as error:
            raise UserError(
                f"index_type={self.index_type} with build_params={self.build_params}: Milvus says {error.message!r}; "
                "give what it asks for"
            ) from None

    def insert(self, batch: pa.RecordBatch, first: int) -> None:
        """Send a batch, or write it for an import; rows that are there already are replaced by themselves.

        Raises
        ------
        UserError
            If a text is longer than Milvus holds.
        """
        columns = {name: batch.column(name).to_pylist() for name in batch.schema.names[:-1]}
        for name, values in columns.items():
            if (
                long := next((n for n, value in enumerate(values) if len(value.encode()) > _LONGEST), None)
            ) is not None:
                raise UserError(
                    f"Milvus holds texts of {_LONGEST:,} bytes, got a longer {name} ({columns['id'][long]!r:.80}): "
                    "leave it out with columns=[]"
                )
        if self._imports:
            if first < self._maybe:  # an import replaces nothing
                self._client.delete(self.table, filter=f"id in {json.dumps(columns['id'], ensure_ascii=False)}")
            self._imports.write(batch, first)
            return
        rows = batch.column(ROWS).flatten().to_numpy().reshape(len(batch), -1)
        entries = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        self._client.upsert(self.table, [{**entry, ROWS: row} for entry, row in zip(entries, rows, strict=True)])

    def finish(self) -> None:
        """Write what is in memory; the server builds the index by itself."""
        if self._imports:
            self._imports.flush()
        self._client.flush(self.table)
        self._load()

    def _load(self) -> None:
        self._client.load_collection(self.table)
        if self._imports:
            self._client.refresh_load(self.table)  # before, it neither finds nor counts imported rows

    def search(self, queries: NDArray[Any], top_k: int) -> list[list[str]]:
        """Return the ids of the rows nearest to each query, best first."""
        params = {"metric_type": "IP", "params": dict(self.search_params or {})}
        answers = self._client.search(
            self.table, data=list(queries), limit=top_k, search_params=params, consistency_level="Strong"
        )
        return [[hit["id"] for hit in answer] for answer in answers]

    def close(self) -> None:
        """Let go of the connection, and of what serves a file."""
        if not hasattr(self, "_client"):
            return
        if self._imports:
            self._imports.close()
        self._client.close()
        if path := place(self.address)[1]:
            from milvus_lite.server_manager import server_manager_instance

            server_manager_instance.release_server(path)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
