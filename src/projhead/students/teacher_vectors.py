"""Encode everything that a training needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import compress
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projhead.corpora.queries import Queries, central, no_queries
from projhead.corpora.split import in_test
from projhead.corpora.text_column import TextColumn
from projhead.encoders.precomputed import Precomputed
from projhead.protocols import Corpus, Encoder
from projhead.store.embed import embed
from projhead.store.fingerprint import fingerprint
from projhead.store.side import Side
from projhead.store.store import EmbeddingStore, store_path
from projhead.students.distill import Texts
from projhead.vectors.lazy import chosen_rows


class TeacherVectors(NamedTuple):
    """The teacher's vectors of a run's texts; `pairs` holds numbers of a query and of its answer.

    `texts` are all that have vectors, sentences that heads are not trained on among them; `corpus` is what records say
    of it.
    """

    train: Any
    test: Any
    texts: Texts
    test_texts: Sequence[str]
    queries: Any = None
    pairs: NDArray[np.int64] | None = None
    corpus: Mapping[str, str] = MappingProxyType({})


def teacher_vectors(
    encoder: Encoder,
    corpus: Corpus | None = None,
    queries: Callable[[Sequence[str]], Queries] = no_queries,
    *,
    stores: str | Path,
    dtype: str = "float16",
    show_progress: bool = False,
) -> TeacherVectors:
    """Return the teacher's vectors of training documents, held-out documents and queries (None without any).

    Parameters
    ----------
    encoder : Encoder
        The teacher. Vectors made elsewhere are their own corpus, and have no queries.
    corpus : Corpus, optional
    queries : callable
        From the training texts to query-like ones, as in `projhead.corpora.queries`.
    stores : path
        The folder of stores: what is there already is not encoded again.
    dtype : {"float16", "float32"}
        Of the vectors on disk.
    show_progress : bool

    Raises
    ------
    ValueError
        If no corpus is given to an encoder of texts.
    """
    if isinstance(encoder, Precomputed):
        texts = encoder.texts_or_rows()
        held_out = np.fromiter(map(in_test, texts), bool, len(texts))
        kept, left = (chosen_rows(encoder.rows, np.flatnonzero(mask)) for mask in (~held_out, held_out))
        known = texts if encoder.has_texts else []  # stand-ins are no texts to train on
        return TeacherVectors(
            kept,
            left,
            Texts(TextColumn(compress(known, ~held_out)), kept),
            TextColumn(compress(known, held_out)),
            corpus={"name": encoder.name, "fingerprint": encoder.identity.fingerprint},
        )
    if corpus is None:
        raise ValueError(f"corpus: expected texts for {encoder.name} to encode, got none")

    def store_of(name: str, texts: Sequence[str], side: Side = "document") -> EmbeddingStore:
        digest = fingerprint(texts)
        path = store_path(Path(stores), encoder, digest, dtype, side)
        options: dict[str, Any] = {"dtype": dtype, "side": side, "keep_texts": False, "show_progress": show_progress}
        options["fingerprint"] = digest
        return embed(encoder, texts, out=path, name=f"{corpus.name}-{name}", **options)

    texts, held_out_texts = (
        TextColumn(document.text for document in corpus.documents(split)) for split in ("train", "test")
    )
    asking = queries(texts)
    store, test = store_of("train", texts), store_of("test", held_out_texts).lazy_rows
    train, told = store.lazy_rows, store.manifest.corpus
    if not asking.texts:
        return TeacherVectors(train, test, Texts(texts, train), held_out_texts, corpus=told)
    rows = store_of("queries", asking.texts, "query").lazy_rows
    kept = central(rows[: len(asking.documents)], train, asking.documents, asking.keep)
    others = np.arange(len(asking.documents), len(rows))
    dropped = len(asking.documents) - len(kept)
    return TeacherVectors(
        train,
        test,
        Texts(texts, train, asking.texts, rows),
        held_out_texts,
        chosen_rows(rows, np.concatenate([kept, others])),
        asking.pairs - np.array([dropped, 0]),
        told,
    )
