"""Qdrant: a server, or a folder in local mode."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from projhead.databases.load import check_mark
from projhead.settings.address import place
from projhead.settings.ranges import Count
from projhead.store.arrow import ROWS, Form

#: Queries sent at once, and seconds between two looks at an index that is being built.
_QUERIES, _PAUSE = 100, 1.0
#: Rows that an interrupted load may have sent without being told so: they are sent again, in place of themselves.
_AGAIN = 20_000


class Qdrant:
    """A Qdrant collection: a point for each row, numbered as in the store, id and columns its payload, under HNSW.

    The key comes from ``QDRANT_API_KEY``. Needs ``pip install 'projhead[qdrant]'``, and Qdrant 1.16 or newer.

    Parameters
    ----------
    address : str
        ``qdrant://host:6333``, or ``qdrant://folder`` for local mode, which compares with every row.
    table : str
        The collection.
    tls : bool
        Whether the server is asked by https.
    m, ef_construct : int
        Of the index: links of a row, and candidates while it is built.
    ef_search : int
        Candidates while it is asked, for the check.
    """

    forms = ("float32", "float16")

    def __init__(
        self,
        address: str,
        table: str = "documents",
        tls: bool = False,
        m: Count = 16,
        ef_construct: Count = 100,
        ef_search: Count = 100,
    ) -> None:
        place(address)
        self.address, self.table, self.tls = address, table, tls
        self.m, self.ef_construct, self.ef_search = m, ef_construct, ef_search

    def begin(self, schema: pa.Schema, form: Form, mark: str) -> int:
        """Connect, make the collection where it is not, and return how many rows are surely there.

        Raises
        ------
        ModuleNotFoundError, ConnectionError
            If the client is not installed; if the server does not answer.
        """
        try:
            from qdrant_client import QdrantClient, models
        except ImportError as error:
            raise ModuleNotFoundError("to=qdrant://... needs qdrant-client: pip install 'projhead[qdrant]'") from error
        host, path = place(self.address)
        key = os.environ.get("QDRANT_API_KEY") if host else None
        url = f"http{'s' * self.tls}://{host}"
        self._client: Any = QdrantClient(url=url, api_key=key) if host else QdrantClient(path=path)
        try:
            there = self._client.collection_exists(self.table)
        except Exception as error:  # of httpx, grpc or its own
            raise ConnectionError(f"{self.address}: {error}; start it, or check QDRANT_API_KEY") from None
        if there:
            found = (self._client.get_collection(self.table).config.metadata or {}).get("projhead")
            check_mark(found and json.dumps(found, sort_keys=True), mark, self.table)
            return max(int(self._client.count(self.table, exact=True).count) - _AGAIN, 0)
        kind = models.Datatype.FLOAT32 if form.name == "float32" else models.Datatype.FLOAT16
        self._client.create_collection(
            self.table,
            vectors_config=models.VectorParams(size=form.dimension, distance=models.Distance.DOT, datatype=kind),
            hnsw_config=models.HnswConfigDiff(m=self.m, ef_construct=self.ef_construct),
            metadata={"projhead": json.loads(mark)},
        )
        return 0

    def insert(self, batch: pa.RecordBatch, first: int) -> None:
        """Send a batch; rows that are there already are replaced by themselves."""
        from qdrant_client import models

        rows = batch.column(ROWS).flatten().to_numpy().reshape(len(batch), -1)
        numbers: list[Any] = list(range(first, first + len(batch)))
        points = models.Batch(ids=numbers, vectors=rows.tolist(), payloads=batch.drop_columns([ROWS]).to_pylist())
        self._client.upsert(self.table, points=points, wait=True)

    def finish(self) -> None:
        """Wait until the server has built what it wants to build."""
        while self._client.get_collection(self.table).status == "yellow":
            time.sleep(_PAUSE)

    def search(self, queries: NDArray[Any], top_k: int) -> list[list[str]]:
        """Return the ids of the rows nearest to each query, best first."""
        from qdrant_client import models

        local = place(self.address)[0] is None  # which compares with every row, and says so where it is asked how
        params = None if local else models.SearchParams(hnsw_ef=max(self.ef_search, top_k))
        found: list[list[str]] = []
        for start in range(0, len(queries), _QUERIES):
            asked = [
                models.QueryRequest(query=query, limit=top_k, params=params, with_payload=["id"])
                for query in queries[start : start + _QUERIES].tolist()
            ]
            for answer in self._client.query_batch_points(self.table, asked):
                found.append([point.payload["id"] for point in answer.points])
        return found

    def close(self) -> None:
        """Let go of the connection."""
        if hasattr(self, "_client"):
            self._client.close()
