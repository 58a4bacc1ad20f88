"""Query-like texts made from documents, so that a head can be trained for retrieval without a query log."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

#: After an end mark (the last two: full-width ! and ?), unless a lower-case letter follows; after a blank line.
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[^\sa-z])|(?<=[。\uff01\uff1f])|\n\s*\n")
_MIN_WORDS, _MAX_WORDS = 3, 40


def sentences(text: str) -> list[str]:
    """Split a text into its sentences (and titles: lines set off by blank ones)."""
    parts = (" ".join(part.split()) for part in _SENTENCE_END.split(text))
    return [part for part in parts if part]


def pseudo_queries(texts: Sequence[str], *, per_text: int = 4, seed: int = 0) -> list[str]:
    """Return sentences of the documents, of the length that queries have.

    The first sentence, or the title, of each document is always among them: it says most.

    Parameters
    ----------
    texts : sequence of str
        Documents. One that is a single sentence gives none: it would be its own query.
    per_text : int
        Sentences of each document, at most.
    seed : int
        Seed of the choice.

    Returns
    -------
    list of str
        Without repetitions, in the order of the documents.
    """
    generator = np.random.default_rng(seed)
    queries: dict[str, None] = {}
    for text in texts:
        found = sentences(text)
        usable = [one for one in found if _MIN_WORDS <= len(one.split()) <= _MAX_WORDS]
        if len(found) < 2 or not usable:
            continue
        chosen = generator.permutation(len(usable) - 1)[: per_text - 1] + 1
        queries.update(dict.fromkeys([usable[0], *(usable[i] for i in sorted(chosen))]))
    return list(queries)
