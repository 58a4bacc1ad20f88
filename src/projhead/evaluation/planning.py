"""Ways to store and search a number of rows: what each would take, and what it keeps on a sample."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.data import Footprint, Scores
from projhead.evaluation.bootstrap import Estimate, bootstrap
from projhead.indexes.base import BaseIndex
from projhead.indexes.exact import ExactIndex
from projhead.indexes.faiss import FaissIndex
from projhead.indexes.faiss_binary import FaissBinaryIndex
from projhead.indexes.rescore import RescoreIndex
from projhead.vectors import Vectors, exact_top_k

#: Neighbors that are to be kept.
TOP_K = 10
#: Of IVF's lists this share is visited.
_VISITED = 16
#: So many rows of a sample for each of its lists, at least.
_PER_LIST = 16
#: Searches of which the fastest counts.
_ROUNDS = 3


@dataclass(frozen=True)
class Plan:
    """A way to store and search.

    Attributes
    ----------
    index : str
        For people.
    make : callable
        Makes the index, with a number of lists where it has any.
    command : callable
        Says how `projhead index` builds it, with a number of lists.
    """

    index: str
    codec: str
    make: Callable[[int], BaseIndex]
    command: Callable[[int], str]


class Measured(NamedTuple):
    """What a plan does on some rows.

    Attributes
    ----------
    kept : Estimate
        Share of the teacher's nearest neighbors that it finds.
    seconds : float
        For a query, in a batch of all.
    """

    kept: Estimate
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What a plan takes for the rows planned, and keeps of the teacher's nearest neighbors.

    Attributes
    ----------
    width, reducer : int, str
        What is stored.
    plan : Plan
    footprint : Footprint
    kept : Estimate
        On the sample.
    estimated : float
        For the rows planned.
    rate : float
        Queries a second, estimated for the rows planned.
    """

    width: int
    reducer: str
    plan: Plan
    footprint: Footprint
    kept: Estimate
    estimated: float
    rate: float


def _spelled(codec: str) -> str:
    """Return how the command line says a codec's name: ``pq:32`` for ``pq_32``."""
    return re.sub(r"_(\d+)$", r":\1", codec.removeprefix("rotated_"))


def plans_for(codec: BaseCodec) -> Iterator[Plan]:
    """Yield the ways to search codes of one codec, every row compared first."""
    name, code = codec.name, codec.faiss_code
    yield Plan("exact", name, lambda n: ExactIndex(codec), lambda n: f"index=exact codec={_spelled(name)}")
    if code:
        yield Plan(
            "ivf",
            name,
            lambda n: FaissIndex(f"IVF{n},{code}", nprobe=max(n // _VISITED, 1)),
            lambda n: f"'index.factory=\"IVF{n},{code}\"' index.nprobe={max(n // _VISITED, 1)}",
        )
    if "hnsw" in codec.suits:
        yield Plan(
            "hnsw",
            name,
            lambda n: FaissIndex(f"HNSW32,{code}", ef_search=64),
            lambda n: f"'index.factory=\"HNSW32,{code}\"' index.ef_search=64",
        )
    if "rescore" in codec.suits:
        yield Plan(
            "rescore",
            f"bits, then {name}",
            lambda n: RescoreIndex(FaissBinaryIndex(), 100, codec),
            lambda n: f"index=rescore codec={_spelled(name)}",
        )


def lists(n: int) -> int:
    """Return how many lists an IVF index of `n` rows has: the power of two next to the root of n, times 4 from 1e6 on.

    FAISS's guideline; below, a sample holds too few rows to train more.
    """
    return int(2 ** round(math.log2(math.sqrt(n) * (4 if n >= 1_000_000 else 1))))


def lists_of_sample(n: int, sample: int) -> int:
    """Return how many lists stand for those of `n` rows on a sample: as many, if it has rows enough for them.

    Of the same share of the rows, many small lists near the query hold more neighbors than few large ones.
    """
    return min(lists(n), 1 << max(int(math.log2(sample / _PER_LIST)), 0))


def measure(plan: Plan, n_lists: int, rows: Vectors, queries: Vectors, truth: NDArray[np.int64]) -> Measured:
    """Return the share of the teacher's nearest neighbors that a plan finds, and the time that it takes.

    Parameters
    ----------
    plan : Plan
    n_lists : int
        Of its index, where it has any.
    rows, queries : ndarray of shape (n, k), (q, k)
        Of the width that is stored.
    truth : ndarray of shape (q, TOP_K), int
        From `neighbors`.
    """
    index, seconds = plan.make(n_lists).build(rows), []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        _, found = index.search(queries, TOP_K)
        seconds.append(time.perf_counter() - started)
    hits = [len(np.intersect1d(one, other)) / TOP_K for one, other in zip(found, truth, strict=True)]
    return Measured(bootstrap(Scores("budget", f"recall@{TOP_K}", np.array(hits))), min(seconds) / len(queries))


def estimated(
    plan: Plan,
    n: int,
    reducer: str,
    rows: Vectors,
    queries: Vectors,
    truths: Sequence[NDArray[np.int64]],
    exact: Outcome | None,
) -> Outcome:
    """Return what a plan takes for `n` rows, and what a sample says of how many neighbors it keeps and how fast.

    An inverted file is taken to keep the share of what all codes compared keep that it keeps on the sample: how many
    lists hold the neighbors is one thing, how codes tell crowded rows apart is another.

    Parameters
    ----------
    plan : Plan
        Its codec fitted to the sample.
    n : int
    reducer : str
        What gave the rows.
    rows, queries : ndarray of shape (m, k), (q, k)
    truths : sequence of two ndarray (q, TOP_K), int
        From `neighbors`: of all rows, and of their first quarter.
    exact : Outcome, optional
        Of the same codes, all compared.
    """
    m, n_lists = len(rows), lists_of_sample(n, len(rows))
    whole = measure(plan, n_lists, rows, queries, truths[0])
    quarter = measure(plan, n_lists, rows[: m // 4], queries, truths[1])
    kept = whole.kept.value
    if plan.index == "ivf" and exact is not None:
        expected = exact.estimated * min(kept / max(exact.kept.value, 1e-9), 1.0)
    else:
        expected = estimate(kept, quarter.kept.value, n / m)
    rate = 1 / estimate_seconds(plan, whole.seconds, quarter.seconds, n / m)
    footprint = plan.make(lists(n)).footprint(n, rows.shape[1])
    return Outcome(rows.shape[1], reducer, plan, footprint, whole.kept, expected, rate)


def estimate(kept: float, quarter: float, factor: float) -> float:
    """Return what is kept of `factor` times as many rows, from what a quarter of them and all of them keep.

    Each fourfold is taken to cost as much as the last: candidates and codes stay as many and as coarse as they are
    while rows crowd. Where a quarter kept less, nothing is gained by more.
    """
    return max(kept - max(quarter - kept, 0.0) * max(math.log(factor, 4), 0.0), 0.0)


def estimate_seconds(plan: Plan, whole: float, quarter: float, factor: float) -> float:
    """Return the seconds of a query among `factor` times as many rows, from those among a quarter and among all.

    What more rows cost grows with them, in a graph with their logarithm.
    """
    more = math.log(factor, 4) if plan.index == "hnsw" else (factor - 1) / 0.75
    return max(whole + max(whole - quarter, 0.0) * more, whole * min(factor, 1.0))


def neighbors(rows: Vectors, queries: Vectors) -> NDArray[np.int64]:
    """Return the teacher's nearest rows of each query (q, TOP_K) by exact search at full width."""
    return exact_top_k(queries, rows, TOP_K)[1]


def recommended(outcomes: list[Outcome], memory: float, recall: float) -> list[Outcome]:
    """Return outcomes, best first.

    Those that fit and reach the target come first, the smallest of them on top; then those that fit, the most exact
    on top; then the rest, the smallest on top.
    """

    def key(one: Outcome) -> tuple[float, ...]:
        fits, reaches = one.footprint.memory <= memory, one.estimated >= recall
        if fits and reaches:
            return (0, one.footprint.memory, one.footprint.disk, -one.estimated)
        return (1, -one.estimated, one.footprint.memory) if fits else (2, one.footprint.memory, -one.estimated)

    return sorted(outcomes, key=key)
