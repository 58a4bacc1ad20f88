from __future__ import annotations

import numpy as np

from projhead.corpora.queries import central
from projhead.vectors import Vectors


def test_of_each_document_the_sentences_nearest_to_it(rows: Vectors) -> None:
    documents, sentences = rows[:6], rows[6:66]
    numbers = np.sort(np.random.default_rng(0).integers(6, size=60))
    kept = central(sentences, documents, numbers, 3)
    expected = []
    for document in range(6):
        self_mask = np.flatnonzero(numbers == document)
        expected += sorted(self_mask, key=lambda i: -float(sentences[i] @ documents[numbers[i]]))[:3]
    np.testing.assert_array_equal(kept, np.sort(expected))


def test_of_no_sentences_none_are_kept(rows: Vectors) -> None:
    assert central(rows[:0], rows, np.empty(0, np.int64), 2).tolist() == []
