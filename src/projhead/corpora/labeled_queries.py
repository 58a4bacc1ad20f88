"""Real queries with judgments, beside sentences of the documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from projhead.corpora.pseudo_queries import Queries, pseudo_queries
from projhead.corpora.retrieval import load_beir


def labeled_queries(
    texts: Sequence[str], *, path: str, split: str = "train", per_text: int = 4, keep: int = 2, seed: int = 0
) -> Queries:
    """Return pseudo-queries of the documents, and a data set's queries with the documents that answer them.

    Parameters
    ----------
    texts : sequence of str
        Documents trained on. Judgments of others (those held out) are left out.
    path : str
        A retrieval set, as `load_beir` reads it.
    split : str
        Whose judgments. Not the one that is measured on.
    per_text, keep, seed : int
        As in `pseudo_queries`.

    Raises
    ------
    ValueError
        If no judged document is among those trained on.
    """
    data = load_beir(path, split)
    sentences = pseudo_queries(texts, per_text=per_text, keep=keep, seed=seed)
    number = {text: i for i, text in enumerate(texts)}
    of = {document.id: number[document.text] for document in data.corpus if document.text in number}
    pairs = [
        (len(sentences.texts) + i, of[document])
        for i, query in enumerate(data.queries)
        for document in data.qrels[query.id]
        if document in of
    ]
    if not pairs:
        raise ValueError(
            f"{path}: none of the documents that split {split!r} judges is among the {len(texts)} trained on; "
            "train on the same set: corpus=beir corpus.path=..."
        )
    return sentences._replace(texts=[*sentences.texts, *(query.text for query in data.queries)], pairs=np.array(pairs))
