"""Draw sample rows of a teacher, and queries."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projhead.encoders.lifted import asking
from projhead.encoders.precomputed import Precomputed
from projhead.persistence.identity import EncoderIdentity, expect_same
from projhead.protocols import Corpus, Encoder
from projhead.store.cached import Cached
from projhead.store.side import BOTH
from projhead.store.store import EmbeddingStore
from projhead.vectors import Vectors, unit_rows

#: Neighbors that are to be kept.
TOP_K = 10


class TeacherSample(NamedTuple):
    """Rows of a teacher and queries, which are not among them.

    Attributes
    ----------
    name : str
        Of the corpus.
    teacher : EncoderIdentity
    rows, queries : ndarray of shape (n, d), (q, d), float32
        Unit rows.
    """

    name: str
    teacher: EncoderIdentity
    rows: Vectors
    queries: Vectors


def sample_of(
    source: EmbeddingStore | Encoder,
    corpus: Corpus | None = None,
    *,
    queries: str | Path | None = None,
    max_rows: int = 10_000,
    n_queries: int = 500,
    stores: str | Path | None = None,
) -> TeacherSample:
    """Return a sample of a teacher's rows, with queries.

    Parameters
    ----------
    source : EmbeddingStore or Encoder
        A store of the teacher's rows; or the teacher, which encodes `corpus` unless it holds its rows itself.
    corpus : Corpus, optional
    queries : path, optional
        A store of real queries; rows of the sample are held out where not given.
    max_rows, n_queries : int
        How many there are at most.
    stores : path, optional
        Where vectors are kept for the next time.

    Raises
    ------
    ValueError
        If rows are too few, or the store of queries is another teacher's or of documents.
    """
    name, teacher, rows = _rows(source, corpus, max_rows, stores)
    if queries is not None:
        return TeacherSample(name, teacher, rows, _asked(queries, teacher, n_queries))
    held = np.random.default_rng(1).permutation(len(rows))
    if len(rows) < 4 * TOP_K:
        raise ValueError(f"expected a sample of at least {4 * TOP_K} rows, got {len(rows)}")
    n_queries = min(n_queries, len(rows) // 4)
    return TeacherSample(name, teacher, rows[np.sort(held[n_queries:])], asking(rows[held[:n_queries]], teacher))


def _rows(
    source: EmbeddingStore | Encoder, corpus: Corpus | None, max_rows: int, stores: str | Path | None
) -> tuple[str, EncoderIdentity, Vectors]:
    if isinstance(source, EmbeddingStore):
        rows = source.take(_chosen(len(source), max_rows))
        return str(source.manifest.corpus["name"]), source.identity, unit_rows(rows)
    if isinstance(source, Precomputed):
        return source.name, source.identity, unit_rows(source.rows[_chosen(len(source.rows), max_rows)])
    if corpus is None:
        raise ValueError(f"corpus: expected texts for {source.name} to encode, got none")
    texts = [document.text for document in islice(corpus.documents("all"), max_rows)]
    encoder = source if stores is None else Cached(source, Path(stores), show_progress=True)
    return corpus.name, source.identity, encoder.encode_document(texts)


def _asked(path: str | Path, teacher: EncoderIdentity, n_queries: int) -> Vectors:
    store, advice = EmbeddingStore.open(path), "encode queries with that teacher and side=query"
    expect_same(teacher, store.identity, str(path), advice)
    if store.manifest.side not in ("query", BOTH):
        raise ValueError(f"{path}: expected the side of queries, got that of {store.manifest.side}s; {advice}")
    return unit_rows(store.lazy_rows[:n_queries])


def _chosen(n: int, most: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(n)[:most])
