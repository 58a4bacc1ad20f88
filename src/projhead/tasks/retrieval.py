"""Retrieval by exact search, with trec_eval's measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from projhead.corpora.docstrings import known_item
from projhead.corpora.retrieval import RetrievalSet, load_beir
from projhead.data import Scores
from projhead.protocols import Encoder
from projhead.settings.ranges import Count
from projhead.tasks.data_sets import Paths, data_sets
from projhead.tasks.documents import stored
from projhead.vectors import exact_top_k

#: Ranks that nDCG and MRR look at, as BEIR does.
_RANKS = 10


class Retrieval:
    """nDCG@10, MRR@10 and recall@k of each query.

    Gains are linear in the judgment and the ideal ranking is over all judged documents, as in trec_eval and
    BEIR (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002). A document with
    the query's own id counts like any other.

    Parameters
    ----------
    path : path or list of paths, optional
        What `load_beir` reads, one data set each. Where not given, summaries of docstrings find their bodies.
    split : str
        Whose judgments.
    top_k : sequence of int
        Depths of recall.
    """

    def __init__(self, path: Paths | None = None, split: str = "test", top_k: Sequence[Count] = (10, 100)) -> None:
        if not top_k or min(top_k) < 1:
            raise ValueError(f"top_k: expected positive depths, got {list(top_k)}")
        self.path, self.split, self.top_k = path, split, top_k

    def run(self, encoder: Encoder, teacher: Encoder) -> Iterator[Scores]:
        """Yield one value per query for each data set and metric; `teacher` is not used.

        Raises
        ------
        FileNotFoundError, ValueError
            If a data set is missing or malformed, or has no judgments in the split.
        """
        for data, documents, queries in self._read:
            rows = stored(encoder, encoder.encode_document(documents))
            _, found = exact_top_k(encoder.encode_query(queries), rows, self.deepest)
            for metric, items in measures(gains_of(data, found, self.deepest), data, self.top_k):
                yield Scores(f"retrieval/{data.name}", metric, items)

    @property
    def deepest(self) -> int:
        """How many documents of each query are looked at."""
        return max(*self.top_k, _RANKS)

    @property
    def sets(self) -> list[RetrievalSet]:
        """The data sets."""
        return [data for data, _, _ in self._read]

    @cached_property
    def _read(self) -> list[tuple[RetrievalSet, list[str], list[str]]]:
        """Every data set, the texts of its documents and those of its queries: read once for all encoders."""
        paths = [None] if self.path is None else list(data_sets(self.path).values())
        sets = [known_item() if path is None else load_beir(path, self.split) for path in paths]
        return [(data, [one.text for one in data.corpus], [one.text for one in data.queries]) for data in sets]


def gains_of(data: RetrievalSet, found: NDArray[np.int64], deepest: int) -> NDArray[np.float64]:
    """Return the judgments of the documents found, best rank first (q, deepest); 0 where there are none.

    Positions from ``len(data.corpus)`` on are of other documents, which nobody judged.
    """
    ids = [document.id for document in data.corpus]
    gains = np.zeros((len(found), deepest))
    for row, (query, positions) in enumerate(zip(data.queries, found, strict=True)):
        judged = data.qrels[query.id]
        gains[row, : len(positions)] = [judged.get(ids[one], 0.0) if one < len(ids) else 0.0 for one in positions]
    return gains


def measures(
    gains: NDArray[np.float64], data: RetrievalSet, top_k: Sequence[int]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield every metric, and what each query gets of it (q,), by the gains of what it found (q, deepest)."""
    judged = [sorted(data.qrels[query.id].values(), reverse=True) for query in data.queries]
    discount = 1 / np.log2(np.arange(_RANKS) + 2)  # rank 1 counts in full
    ideal = np.array([discount[: len(best[:_RANKS])] @ best[:_RANKS] for best in judged])
    relevant = gains > 0
    first = relevant[:, :_RANKS].argmax(1)
    yield f"ndcg@{_RANKS}", gains[:, :_RANKS] @ discount / ideal
    for k in top_k:
        yield f"recall@{k}", relevant[:, :k].sum(1) / np.array([len(best) for best in judged])
    yield f"mrr@{_RANKS}", np.where(relevant[:, :_RANKS].any(1), 1 / (first + 1), 0.0)
