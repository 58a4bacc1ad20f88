"""LanceDB, loaded from Arrow batches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from projhead.databases.load import check_mark
from projhead.settings.address import checked_address
from projhead.settings.ranges import Count
from projhead.store.arrow import ROWS, Form

_MARK = b"projhead_load"


class Lance:
    """A LanceDB table of the store's own record batches, and an IVF_HNSW_SQ index by inner product.

    A batch is one version of the table, there or not. Needs ``pip install 'projhead[lance]'``.

    Parameters
    ----------
    address : str
        ``lance://folder``, ``lance:///data/folder``, or ``lance://s3://bucket/folder``, its keys in the environment.
    table : str
    m, ef_construction : int
        Of the index: links of a row, and candidates while it is built.
    ef_search : int
        Candidates while it is asked, for the check.
    refine_factor : int
        So many times the neighbors asked for are compared again by their own rows, as the index rounds them.
    """

    forms = ("float32", "float16")

    def __init__(
        self,
        address: str,
        table: str = "documents",
        m: Count = 20,
        ef_construction: Count = 300,
        ef_search: Count = 100,
        refine_factor: Count = 3,
    ) -> None:
        self.address, self.table = checked_address(address), table
        self.m, self.ef_construction, self.ef_search, self.refine_factor = m, ef_construction, ef_search, refine_factor

    def begin(self, schema: pa.Schema, form: Form, mark: str) -> int:
        """Open the folder, make the table where it is not, and return how many rows it holds.

        Raises
        ------
        ModuleNotFoundError
            If LanceDB is not installed.
        """
        try:
            import lancedb
        except ImportError as error:
            raise ModuleNotFoundError("to=lance://... needs LanceDB: pip install 'projhead[lance]'") from error
        base: Any = lancedb.connect(self.address.partition("://")[2])
        if self.table not in base.list_tables(limit=1_000_000).tables:
            told = {**(schema.metadata or {}), _MARK: mark.encode()}
            self._opened = base.create_table(self.table, schema=schema.with_metadata(told))
            return 0
        self._opened = base.open_table(self.table)
        found = (self._opened.schema.metadata or {}).get(_MARK)
        check_mark(found and found.decode(), mark, self.table)
        return int(self._opened.count_rows())

    def insert(self, batch: pa.RecordBatch, first: int) -> None:
        """Add a batch, all of it or nothing."""
        self._opened.add(pa.Table.from_batches([batch]).replace_schema_metadata(self._opened.schema.metadata))

    def finish(self) -> None:
        """Build the index where it is not, and put the small pieces that batches leave together."""
        from lancedb.index import HnswSq

        if not self._opened.list_indices():
            config = HnswSq(distance_type="dot", m=self.m, ef_construction=self.ef_construction)
            self._opened.create_index(ROWS, config=config)
        self._opened.optimize(cleanup_older_than=timedelta(days=7))

    def search(self, queries: NDArray[Any], top_k: int) -> list[list[str]]:
        """Return the ids of the rows nearest to each query, best first."""
        found = []
        for query in queries.astype(np.float32):
            ask = self._opened.search(query, vector_column_name=ROWS).distance_type("dot").limit(top_k)
            ask = ask.ef(max(self.ef_search, top_k)).refine_factor(self.refine_factor)
            found.append(ask.select(["id", "_distance"]).to_arrow()["id"].to_pylist())
        return found

    def close(self) -> None:
        """Nothing is held open."""
