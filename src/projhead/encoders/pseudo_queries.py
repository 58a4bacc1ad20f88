"""Encode query-like sentences of a store's own documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from projhead.corpora.queries import Queries, central
from projhead.corpora.queries import pseudo_queries as sentences_of
from projhead.encoders.load import encoder_of
from projhead.store.embed import embed
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors


def pseudo_queries(
    store: EmbeddingStore,
    *,
    per_text: int = 4,
    keep: int = 2,
    random_state: int = 0,
    out: str | Path | None = None,
    show_progress: bool = True,
) -> Vectors:
    """Encode sentences of a store's documents as queries, to train a head for retrieval without any labels.

    Parameters
    ----------
    store : EmbeddingStore
        With texts.
    per_text : int
        Sentences of each document that are encoded, at most.
    keep : int
        How many of those are returned, the nearest to their document.
    random_state : int
        Seed of the choice.
    out : path, optional
        The store of the sentences' vectors; beside the documents' own where not given.
    show_progress : bool

    Returns
    -------
    ndarray of shape (q, d)
        Rows for ``LearnedReducer.fit(store, queries=...)``.

    Raises
    ------
    ValueError
        If the store holds no texts or too short ones, or its encoder cannot be built.
    """
    queries = sentences_of(store.lazy_texts, per_text=per_text, keep=keep, seed=random_state)
    if not queries.texts:
        raise ValueError(f"{store.folder}: expected documents of several sentences to take queries from, got none")
    return encoded(store, queries, out=out, show_progress=show_progress)


def encoded(
    store: EmbeddingStore, queries: Queries, *, out: str | Path | None = None, show_progress: bool = True
) -> Vectors:
    """Return the vectors (q, d) of the sentences that are nearest to their own document."""
    folder = store.folder.with_name(f"{store.folder.name}-queries") if out is None else Path(out)
    settings: dict[str, Any] = {"side": "query", "keep_texts": False, "show_progress": show_progress}
    rows = embed(encoder_of(store), queries.texts, out=folder, **settings)
    kept = central(rows.lazy_rows, store.lazy_rows, queries.documents, queries.keep)
    return np.asarray(rows.take(kept), np.float32)
