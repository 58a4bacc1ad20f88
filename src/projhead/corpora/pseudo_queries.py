"""Query-like texts made from documents, so that a head can be trained for retrieval without a query log."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: After an end mark (the last two: full-width ! and ?), unless a lower-case letter follows; after a blank line.
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[^\sa-z])|(?<=[。\uff01\uff1f])|\n\s*\n")
_MIN_WORDS, _MAX_WORDS = 3, 40


def sentences(text: str) -> list[str]:
    """Split a text into its sentences (and titles: lines set off by blank ones)."""
    parts = (" ".join(part.split()) for part in _SENTENCE_END.split(text))
    return [part for part in parts if part]


_NONE = np.empty(0, np.int64)


class Queries(NamedTuple):
    """Query-like texts: sentences of documents first, then what people asked.

    Attributes
    ----------
    texts : list of str
    documents : ndarray of shape (s,), int64
        For each of the sentences, the first texts, the number of its document.
    keep : int
        Of the sentences of one document, so many nearest to it are to be trained on.
    pairs : ndarray of shape (p, 2), int64
        Number of a text and number of a document that somebody judged to answer it.
    """

    texts: list[str]
    documents: NDArray[np.int64] = _NONE
    keep: int = 0
    pairs: NDArray[np.int64] = _NONE.reshape(0, 2)


def pseudo_queries(texts: Sequence[str], *, per_text: int = 4, keep: int = 2, seed: int = 0) -> Queries:
    """Take sentences of the documents, of the length that queries have.

    The first sentence, or the title, of each document is always among them: it says most.

    Parameters
    ----------
    texts : sequence of str
        Documents. One that is a single sentence gives none: it would be its own query.
    per_text : int
        Sentences of each document, at most.
    keep : int
        How many of those are to be trained on, the nearest to their document by the teacher: people ask for what a
        text is about, and many a sentence is not.
    seed : int
        Seed of the choice.

    Returns
    -------
    Queries
        Without repetitions, in the order of the documents.
    """
    generator = np.random.default_rng(seed)
    queries: dict[str, int] = {}
    for number, text in enumerate(texts):
        found = sentences(text)
        usable = [one for one in found if _MIN_WORDS <= len(one.split()) <= _MAX_WORDS]
        if len(found) < 2 or not usable:
            continue
        chosen = generator.permutation(len(usable) - 1)[: per_text - 1] + 1
        for one in (usable[0], *(usable[i] for i in sorted(chosen))):
            queries.setdefault(one, number)
    return Queries(list(queries), np.fromiter(queries.values(), np.int64, len(queries)), keep)
