"""Measure how much of the teacher's neighborhoods an encoder keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from projhead.corpora.docstrings import Docstrings
from projhead.corpora.files import TextFiles
from projhead.corpora.split import in_test
from projhead.data import Scores
from projhead.protocols import Encoder
from projhead.settings.ranges import Count
from projhead.tasks.documents import stored
from projhead.vectors import neighbor_overlap


class NeighborOverlap:
    """Share of the teacher's nearest neighbors that are the encoder's too, ties counted fairly.

    Parameters
    ----------
    path : path, optional
        Texts, as `TextFiles` reads them. Where not given: the held-out texts of a teacher that knows only
        those of its file (`Precomputed`), else the held-out docstrings.
    column : str
        The column of the texts, where there are columns.
    split : str
        "all" texts of `path`, or "test" for those that ``corpus=file`` holds out when trained on it.
    max_texts : int
        Texts compared, at most; chosen at random, always the same.
    top_k : sequence of int
        Neighborhood sizes.
    texts, name : sequence of str, str, optional
        The texts themselves, and what to call them; all are compared.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        column: str = "text",
        split: str = "all",
        max_texts: Count = 2000,
        top_k: Sequence[Count] = (1, 10, 100),
        *,
        texts: Sequence[str] | None = None,
        name: str = "texts",
    ) -> None:
        self.path, self.column, self.split, self.max_texts, self.top_k = path, column, split, max_texts, top_k
        self.texts, self.name = texts, name
        self._read: dict[str, tuple[str, Sequence[str]]] = {}

    def run(self, encoder: Encoder, teacher: Encoder) -> Iterator[Scores]:
        """Yield one value per text for each neighborhood size.

        Raises
        ------
        FileNotFoundError, ValueError
            If texts are missing, or not more than the largest neighborhood.
        """
        if teacher.identity.key not in self._read:
            self._read[teacher.identity.key] = self._texts(teacher)
        name, texts = self._read[teacher.identity.key]
        if len(texts) <= max(self.top_k):
            raise ValueError(
                f"neighbor_overlap/{name}: expected more texts than the largest of top_k = {list(self.top_k)}, "
                f"got {len(texts)}; give more texts, or a smaller top_k"
            )
        rows = encoder.encode_document(texts)
        overlap = neighbor_overlap(teacher.encode_document(texts), stored(encoder, rows), self.top_k, queries=rows)
        for column, k in enumerate(self.top_k):
            yield Scores(f"neighbor_overlap/{name}", f"overlap@{k}", overlap[:, column].astype(np.float64))

    def _texts(self, teacher: Encoder) -> tuple[str, Sequence[str]]:
        if self.texts is not None:
            return self.name, self.texts
        if self.path is not None:
            corpus = TextFiles(str(self.path), column=self.column)
            name, texts = corpus.name, [document.text for document in corpus.documents(self.split)]
        elif hasattr(teacher, "texts_or_rows"):
            name, texts = teacher.name, [text for text in teacher.texts_or_rows() if in_test(text)]
        else:
            docstrings = Docstrings()
            name, texts = docstrings.name, [document.text for document in docstrings.documents("test")]
        chosen = np.random.default_rng(0).permutation(len(texts))[: self.max_texts]
        return name, [texts[position] for position in np.sort(chosen)]
