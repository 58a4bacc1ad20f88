"""What a database must do, so that `projhead.databases.load.load` can fill it."""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow as pa
from numpy.typing import NDArray


class Database(Protocol):
    """A table of a database that a store is loaded into.

    `load` calls `begin`, `insert` for every batch that is missing, `finish`, `search` and `close`.

    Attributes
    ----------
    forms : tuple of str
        The forms of `projhead.store.arrow` that it compares, the one to be taken where none is asked for first.
    address, table : str
        Where it is, without a password or a token.
    """

    forms: tuple[str, ...]
    address: str
    table: str

    def begin(self, schema: pa.Schema, form: Any, mark: str) -> int:
        """Connect, and make the table where it is not; return how many rows, in the store's order, are surely there.

        `schema` has ``id``, the columns and, last, ``embedding``. The table keeps `mark`; one with another is refused.
        """
        ...

    def insert(self, batch: pa.RecordBatch, first: int) -> None:
        """Add the rows that the store numbers from `first` on. A kill leaves all of a batch, or what may come again."""
        ...

    def finish(self) -> None:
        """Make the table ready to be searched, the index built."""
        ...

    def search(self, queries: NDArray[Any], top_k: int) -> list[list[str]]:
        """Return the ids of the rows nearest to each query (q, ...), in the form of the rows, best first."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
