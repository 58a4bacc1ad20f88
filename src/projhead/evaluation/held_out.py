"""What reducers keep of the neighborhoods of vectors that training did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec, sample_rows
from projhead.codecs.cast import Cast
from projhead.encoders.coded import Calibration
from projhead.encoders.reduced import Reduced
from projhead.encoders.remembered import Remembered
from projhead.evaluation.measure import Candidate, measure
from projhead.evaluation.measurements import result_rows
from projhead.persistence.identity import EncoderIdentity
from projhead.protocols import OneSided
from projhead.reducers.base import Reducer
from projhead.report.comparison import Comparison
from projhead.tasks.neighbor_overlap import NeighborOverlap
from projhead.vectors import Vectors

_TOP_K = (1, 10, 100)


class _Numbered(OneSided):
    """Rows in memory as an encoder, whose texts are their numbers."""

    def __init__(self, teacher: EncoderIdentity, rows: Vectors) -> None:
        self.name, self.rows, self.dimension = teacher.name, rows, int(rows.shape[1])
        self.identity = replace(teacher, dimension=self.dimension)

    def encode(self, texts: Sequence[str], *, show_progress: bool = False) -> Vectors:
        return self.rows[[int(text) for text in texts]]


def held_out(
    reducers: Sequence[Reducer],
    test: Vectors,
    *,
    teacher: EncoderIdentity,
    own: Vectors | None = None,
    train: NDArray[Any] | None = None,
    codec: BaseCodec | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare reducers of one width by neighbor overlap on the teacher's held-out rows, without any texts.

    Parameters
    ----------
    reducers : sequence of Reducer
        Fitted; subjects among them are compared with the baselines among them.
    test : ndarray of shape (n, d), float32
        Unit rows of the teacher.
    teacher : EncoderIdentity
        The encoder that the reducers were fitted to.
    own : ndarray of shape (n, e), optional
        That encoder's rows of the same texts, where it is not the one that gave `test`.
    train : ndarray of shape (m, e), optional
        Rows that codecs are fitted to; needed where there is a codec.
    codec : BaseCodec, optional
        How documents are stored, in float32 where not given; a head that was trained through one is stored in that.
    seed : int
        For the result rows.

    Raises
    ------
    ValueError
        If there are fewer than 2 held-out rows.
    """
    expect_held_out(n := len(test))
    top_k = [k for k in _TOP_K if k < n]
    rows, calibration = test if own is None else own, None
    if codec is not None and train is not None:
        fitted_to = sample_rows(train)
        calibration = Calibration("training rows", [str(number) for number in range(n, n + len(fitted_to))])
        rows = np.concatenate([rows, fitted_to])
    source = _Numbered(teacher, rows)

    def entered(one: Reducer, baselines: Sequence[Candidate] = ()) -> Candidate:
        return Candidate(one.kind, one.role, Reduced(source, one), seed, one.codec_, baselines)

    baselines = [entered(one) for one in reducers if one.role == "baseline"]
    candidates = [entered(one, baselines) for one in reducers if one.role != "baseline"] + baselines
    task = NeighborOverlap(texts=[str(number) for number in range(n)], name="held-out", top_k=top_k)
    reference = Remembered(_Numbered(teacher, test))
    found = measure(candidates, [task], reference, [codec or Cast("float32")], calibration)
    return Comparison(result_rows(found, teacher))


def expect_held_out(n: int) -> None:
    """Refuse to compare reducers on too few rows; `train` asks before it trains.

    Raises
    ------
    ValueError
        If there are not two: the one has no neighbor.
    """
    if n < 2:
        raise ValueError(
            f"expected at least 2 held-out vectors to compare reducers on, got {n}; "
            "give more texts, or hold out more of them with corpus.test_fraction=0.2"
        )
