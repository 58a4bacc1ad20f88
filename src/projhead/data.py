"""Tuples that rooms hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Document(NamedTuple):
    """One text of a corpus.

    Attributes
    ----------
    id, text : str
    columns : mapping of str to object
        What else is known of it: a title, a date, whatever answers are to bring along.
    """

    id: str
    text: str
    columns: Mapping[str, Any] = MappingProxyType({})

    def __hash__(self) -> int:
        """Return a hash of id and text: columns may hold what has none."""
        return hash((self.id, self.text))

    def __reduce__(self) -> tuple[type[Document], tuple[Any, ...]]:
        """Let it cross to other processes, which a read-only mapping cannot."""
        return Document, (self.id, self.text, dict(self.columns)) if self.columns else (self.id, self.text)


#: What a graph, which knows no sides, is told beside the tokens of texts: 1 for those that ask.
IS_QUERY = "is_query"

#: Names of a store's own columns, which no other column of a document can have.
STORED = frozenset({"id", "text", "embedding"})


class RowText(str):
    """A text that knows its row in a file: vectors made elsewhere belong to rows, and two rows may have one text.

    Attributes
    ----------
    source : str
        The file or files.
    row : int
        Counted from 0, through all of them.
    """

    __slots__ = ("row", "source")
    source: str
    row: int

    def __new__(cls, text: str, source: str, row: int) -> RowText:
        """Return the text, as one of this row."""
        self = super().__new__(cls, text)
        self.source, self.row = source, row
        return self

    def __reduce__(self) -> tuple[type[RowText], tuple[str, str, int]]:
        return RowText, (str(self), self.source, self.row)


class Scores(NamedTuple):
    """What a task measured: one row per query, pair or text, and how rows make the metric.

    Attributes
    ----------
    task : str
        Task and data set, such as ``"retrieval/scifact"``.
    metric : str
        Such as ``"ndcg@10"``.
    items : ndarray of shape (n,) or (n, 2), float64
        Per-query values for ``"mean"``; pairs (similarity, gold) for ``"spearman"``.
    statistic : str
        ``"mean"`` or ``"spearman"``.
    documents : int
        How many were searched, where that is varied; else 0.
    """

    task: str
    metric: str
    items: NDArray[np.float64]
    statistic: str = "mean"
    documents: int = 0


class Footprint(NamedTuple):
    """What something takes, in bytes.

    Attributes
    ----------
    memory, disk : int
        Held in memory, and in files.
    """

    memory: int
    disk: int
