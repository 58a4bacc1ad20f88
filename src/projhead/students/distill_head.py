"""From a teacher and texts to a student, in one call."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from projhead.corpora.queries import pseudo_queries
from projhead.data import Document
from projhead.encoders.pseudo_queries import encoded
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.reducers.learned import LearnedReducer
from projhead.store.embed import embed
from projhead.students.assemble import assemble


def distill(
    teacher: SentenceTransformerEncoder,
    texts: Sequence[str] | Sequence[Document],
    n_components: int = 128,
    *,
    out: str | Path | None = None,
    show_progress: bool = True,
    **parameters: Any,
) -> SentenceTransformer:
    """Train a head on a teacher's vectors of texts, and put it behind the teacher.

    Parameters
    ----------
    teacher : SentenceTransformerEncoder
    texts : sequence of str or Document
        The documents that are to be searched, or ones like them. Those of several sentences give pseudo-queries too.
    n_components : int
        Width k of the student's rows.
    out : path, optional
        The store of the vectors, found again by the next call; of this call alone where not given.
    show_progress : bool
    **parameters
        Of `LearnedReducer`.

    Returns
    -------
    SentenceTransformer
        Of stock modules; ``save_pretrained`` writes what stock sentence-transformers loads.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = embed(teacher, texts, out=out or Path(folder) / "documents", show_progress=show_progress)
        sentences = pseudo_queries(store.lazy_texts)
        queries = encoded(store, sentences, show_progress=show_progress) if sentences.texts else None
        head = LearnedReducer(n_components, **parameters).fit(store, queries=queries)
        return assemble(teacher, head)
