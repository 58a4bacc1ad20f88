"""Where the query-like texts of training come from, when not from the documents."""

from __future__ import annotations

from collections.abc import Sequence

from projhead.corpora.files import TextFiles
from projhead.corpora.pseudo_queries import Queries


def query_log(texts: Sequence[str], *, path: str, column: str = "text") -> Queries:
    """Return the queries of a real log, a file that `TextFiles` reads; the documents `texts` are not used."""
    return Queries([document.text for document in TextFiles(path, column=column).documents("all")])


def no_queries(texts: Sequence[str]) -> Queries:
    """Return no queries: the head is trained on documents alone."""
    return Queries([])
