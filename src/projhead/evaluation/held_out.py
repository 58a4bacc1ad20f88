"""Measure on held-out vectors how much of each neighborhood a reducer keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, sample_rows
from projhead.codecs.cast import Cast
from projhead.data import Scores
from projhead.encoders.coded import Calibration
from projhead.encoders.lifted import asking
from projhead.encoders.one_sided import OneSided
from projhead.encoders.reduced import Reduced
from projhead.encoders.remembered import Remembered
from projhead.evaluation.measure import Candidate, measure
from projhead.evaluation.measurements import result_rows
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import Encoder, Task
from projhead.reducers.base import Reducer
from projhead.report.comparison import Comparison
from projhead.tasks.documents import stored
from projhead.tasks.neighbor_overlap import NeighborOverlap
from projhead.vectors import Vectors, exact_top_k, unit_rows

_TOP_K = (1, 10, 100)
#: What measuring held-out rows in the rows that were trained on is called, and how many of those are searched at most.
SEARCHED, _SEARCHED = "neighbor_overlap/held-out among those trained on", 20_000


class _Numbered(OneSided):
    """Rows of documents in memory as an encoder, whose texts are their numbers."""

    def __init__(self, teacher: EncoderIdentity, rows: Vectors) -> None:
        self.name, self.rows, self.dimension = teacher.name, rows, int(rows.shape[1])
        self.identity = replace(teacher, dimension=self.dimension)
        self.two_sided = teacher.longest > 0

    def encode_query(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return asking(self.encode(texts), self.identity)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self.rows[[int(text) for text in texts]]


class _Searched:
    """Share of the teacher's nearest documents of each query that are the encoder's too."""

    def __init__(self, queries: list[str], documents: list[str]) -> None:
        self.queries, self.documents = queries, documents

    def run(self, encoder: Encoder, teacher: Encoder) -> Iterator[Scores]:
        """Yield one value per query for each neighborhood size."""
        asked, among = encoder.encode_query(self.queries), encoder.encode_document(self.documents)
        own, searched = teacher.encode_query(self.queries), teacher.encode_document(self.documents)
        deepest = max(k for k in _TOP_K if k <= len(among))
        true, found = exact_top_k(own, searched, deepest)[1], exact_top_k(asked, stored(encoder, among), deepest)[1]
        for k in (k for k in _TOP_K if k <= deepest):
            shared = [len(np.intersect1d(*pair)) / k for pair in zip(true[:, :k], found[:, :k], strict=True)]
            yield Scores(SEARCHED, f"overlap@{k}", np.array(shared))


def held_out_rows(rows: Any, reducers: Sequence[Any]) -> tuple[Encoder, list[Task]]:
    """Return an encoder of held-out rows (n, d) of the teacher of some reducers, and the task of their neighbors."""
    test = unit_rows(rows, "tasks")
    expect_held_out(len(test))
    known = next((one.teacher_ for one in reducers if getattr(one, "teacher_", None)), None)
    encoder = _Numbered(known or EncoderIdentity("vectors", "", test.shape[1]), test)
    return encoder, _neighborhoods(len(test))


def _neighborhoods(n: int) -> list[Task]:
    top_k = [k for k in _TOP_K if k < n]
    return [NeighborOverlap(texts=_numbers(0, n), name="held-out", top_k=top_k)]


def _sample(rows: NDArray[Any]) -> Vectors:
    chosen = np.random.default_rng(0).permutation(len(rows))[:_SEARCHED]
    return unit_rows(rows[np.sort(chosen)])


def _numbers(start: int, stop: int) -> list[str]:
    return [str(number) for number in range(start, stop)]


def held_out(
    reducers: Sequence[Reducer],
    test: Vectors,
    *,
    teacher: EncoderIdentity,
    student_rows: Vectors | None = None,
    train: NDArray[Any] | None = None,
    codec: BaseCodec | None = None,
    searched: NDArray[Any] | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare reducers of one width by neighbor overlap on the teacher's held-out rows, without any texts.

    Rows to come are each other's neighbors. What was fitted for rows that are searched is asked for those: held-out
    rows look for their nearest among them.

    Parameters
    ----------
    reducers : sequence of Reducer
        Fitted; subjects among them are compared with the baselines among them.
    test : ndarray of shape (n, d), float32
        Unit rows of the teacher.
    teacher : EncoderIdentity
        The encoder that the reducers were fitted to.
    student_rows : ndarray of shape (n, e), optional
        That encoder's rows of the same texts, where it is not the one that gave `test`.
    train : ndarray of shape (m, e), optional
        Rows that codecs are fitted to; needed where there is a codec.
    codec : BaseCodec, optional
        How documents are stored, in float32 where not given; a head that was trained with one is stored in that.
    searched : ndarray of shape (m, e), optional
        Rows in which held-out ones look for their neighbors too, a random choice of 20,000 at most.
    seed : int
        For the result rows.

    Raises
    ------
    ValueError
        If there are fewer than 2 held-out rows.
    """
    expect_held_out(n := len(test))
    known, rows, calibration = test, test if student_rows is None else student_rows, None
    tasks = _neighborhoods(n)
    if searched is not None:
        index = _sample(searched)
        known, rows = np.concatenate([known, index]), np.concatenate([rows, index])
        tasks.insert(0, _Searched(_numbers(0, n), _numbers(n, len(rows))))
    if codec is not None and train is not None:
        calibration = Calibration("training rows", _numbers(len(rows), len(rows) + len(sample_rows(train))))
        rows = np.concatenate([rows, sample_rows(train)])
    source = _Numbered(teacher, rows)

    def entered(one: Reducer, baselines: Sequence[Candidate] = ()) -> Candidate:
        return Candidate(one.kind, one.role, Reduced(source, one), seed, one.codec_, baselines)

    baselines = [entered(one) for one in reducers if one.role == "baseline"]
    candidates = [entered(one, baselines) for one in reducers if one.role != "baseline"] + baselines
    reference = Remembered(_Numbered(teacher, known))
    found = measure(candidates, tasks, reference, [codec or Cast("float32")], calibration)
    return Comparison(result_rows(found, teacher))


def expect_held_out(n: int, *, of_texts: bool = False) -> None:
    """Refuse to compare reducers on too few rows; `train` asks before it trains.

    Parameters
    ----------
    n : int
    of_texts : bool
        Whether they were held out of a corpus, which can hold out more.

    Raises
    ------
    ValueError
        If there are not two: the one has no neighbor.
    """
    if n < 2:
        do = "texts, or hold out more of them with corpus.test_fraction=0.2" if of_texts else "rows that differ"
        raise ValueError(f"expected at least 2 held-out vectors to compare reducers on, got {n}; give more {do}")
