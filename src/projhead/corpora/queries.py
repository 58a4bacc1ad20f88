"""Query-like texts to train a head for retrieval: sentences of documents, a log, or judged queries."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projhead.corpora.files import TextFiles
from projhead.corpora.retrieval import load_beir
from projhead.corpora.text_column import TextColumn
from projhead.settings.ranges import Count, Seed

#: After an end mark (the last two: full-width ! and ?), unless a lower-case letter follows; after one that stands by
#: itself, as in texts cut into words; after a blank line.
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+(?=[^\sa-z])|(?<=\s[.!?])\s+|(?<=[。\uff01\uff1f])|\n\s*\n")
_MIN_WORDS, _MAX_WORDS = 3, 40
#: Sentences compared with their documents at once.
_BLOCK = 65_536


def sentences(text: str) -> list[str]:
    """Split a text into its sentences (and titles: lines set off by blank ones)."""
    parts = (" ".join(part.split()) for part in _SENTENCE_END.split(text))
    return [part for part in parts if part]


_NONE = np.empty(0, np.int64)


class Queries(NamedTuple):
    """Query-like texts: sentences of documents first, then what people asked.

    Attributes
    ----------
    texts : sequence of str
    documents : ndarray of shape (s,), int64
        For each of the sentences, the first texts, the number of its document.
    keep : int
        Of the sentences of one document, so many nearest to it are to be trained on.
    pairs : ndarray of shape (p, 2), int64
        Number of a text and number of a document that somebody judged to answer it.
    """

    texts: Sequence[str]
    documents: NDArray[np.int64] = _NONE
    keep: int = 0
    pairs: NDArray[np.int64] = _NONE.reshape(0, 2)


def pseudo_queries(texts: Sequence[str], *, per_text: Count = 4, keep: Count = 2, seed: Seed = 0) -> Queries:
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
    numbers = array("q")
    found, first = TextColumn(_chosen(texts, per_text, seed, numbers)).once()
    return Queries(found, np.frombuffer(numbers, np.int64)[first], keep)


def _chosen(texts: Sequence[str], per_text: int, seed: int, numbers: array[int]) -> Iterator[str]:
    """Yield sentences of the documents, and add for each the number of its document to `numbers`."""
    generator = np.random.default_rng(seed)
    for number, text in enumerate(texts):
        found = sentences(text)
        usable = [one for one in found if _MIN_WORDS <= len(one.split()) <= _MAX_WORDS]
        if len(found) < 2 or not usable:
            continue
        chosen = generator.permutation(len(usable) - 1)[: per_text - 1] + 1
        for one in (usable[0], *(usable[i] for i in sorted(chosen))):
            numbers.append(number)
            yield one


def central(
    sentences: NDArray[Any], documents: NDArray[Any], numbers: NDArray[np.int64], keep: int
) -> NDArray[np.int64]:
    """Return the numbers of the sentences that are nearest to their document, sorted.

    Parameters
    ----------
    sentences, documents : ndarray of shape (q, d) and (n, d), float
        Unit rows of one teacher, perhaps memory-mapped.
    numbers : ndarray of shape (q,), int64
        For each sentence the number of its document; not decreasing.
    keep : int
        So many of each document.
    """
    similarity = np.concatenate(
        [
            np.empty(0),
            *(
                np.einsum("qd,qd->q", sentences[start : start + _BLOCK], documents[numbers[start : start + _BLOCK]])
                for start in range(0, len(numbers), _BLOCK)
            ),
        ]
    )
    order = np.lexsort((-similarity, numbers))
    rank = np.arange(len(order)) - np.searchsorted(numbers, numbers[order])  # within the document
    return np.sort(order[rank < keep])


def labeled_queries(
    texts: Sequence[str], *, path: str, split: str = "train", per_text: Count = 4, keep: Count = 2, seed: Seed = 0
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
    judged = {document.text for document in data.corpus}
    number = {text: i for i, text in enumerate(texts) if text in judged}
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
    asked = TextColumn(chain(sentences.texts, (query.text for query in data.queries)))
    return sentences._replace(texts=asked, pairs=np.array(pairs))


def query_log(texts: Sequence[str], *, path: str, column: str = "text") -> Queries:
    """Return the queries of a real log, a file that `TextFiles` reads; the documents `texts` are not used."""
    return Queries(TextColumn(document.text for document in TextFiles(path, column=column).documents("all")))


def no_queries(texts: Sequence[str]) -> Queries:
    """Return no queries: the head is trained on documents alone."""
    return Queries([])
