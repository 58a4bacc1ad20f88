"""Ways to store and search a number of rows: what each would take, and what it keeps on a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from projhead.codecs.base import BaseCodec
from projhead.indexes.base import BaseIndex
from projhead.indexes.exact import ExactIndex
from projhead.indexes.faiss import FaissIndex
from projhead.indexes.faiss_binary import FaissBinaryIndex
from projhead.indexes.two_stage import TwoStageIndex
from projhead.protocols import Footprint, Sample
from projhead.statistics import Estimate, bootstrap
from projhead.vectors import Vectors, exact_top_k

#: Neighbours that are to be kept.
TOP_K = 10
#: Of IVF's lists this share is visited.
_VISITED = 16
#: FAISS's names of codes, with a multiple of bytes behind those of product quantisers.
_FAISS = {"float32": "Flat", "float16": "SQfp16", "bfloat16": "SQbf16", "int8": "SQ8", "int4": "SQ4"}
_GRAPH = ("float32", "float16", "int8")  # what an HNSW index can hold
_WIDE = ("float16", "int8")  # what a second stage reads


@dataclass(frozen=True)
class Plan:
    """A way to store and search.

    Attributes
    ----------
    index : str
        For people.
    make : callable
        Makes the index for a number of rows.
    command : callable
        Says how `projhead index` builds it, for a number of rows.
    """

    index: str
    codec: str
    make: Callable[[int], BaseIndex]
    command: Callable[[int], str]


@dataclass(frozen=True)
class Outcome:
    """What a plan takes for the rows planned, and keeps of the teacher's nearest neighbours.

    Attributes
    ----------
    width, reducer : int, str
        What is stored.
    plan : Plan
    footprint : Footprint
    kept : Estimate
        On the sample.
    foretold : float
        For the rows planned.
    """

    width: int
    reducer: str
    plan: Plan
    footprint: Footprint
    kept: Estimate
    foretold: float


def plans_for(codec: BaseCodec) -> Iterator[Plan]:
    """Yield the ways to search codes of one codec."""
    name = codec.name
    yield Plan("exact", name, lambda n: ExactIndex(codec), lambda n: f"index=exact codec={name}")
    code = f"PQ{name[3:]}np" if name.startswith("pq_") else _FAISS.get(name)
    if code is not None:
        yield Plan(
            "ivf",
            name,
            lambda n: FaissIndex(f"IVF{lists(n)},{code}", nprobe=max(lists(n) // _VISITED, 1)),
            lambda n: f"'index.factory=\"IVF{lists(n)},{code}\"' index.nprobe={max(lists(n) // _VISITED, 1)}",
        )
    if name in _GRAPH:
        yield Plan(
            "hnsw",
            name,
            lambda n: FaissIndex(f"HNSW32,{code}", ef_search=64),
            lambda n: f"'index.factory=\"HNSW32,{code}\"' index.ef_search=64",
        )
    if name in _WIDE:
        yield Plan(
            "two_stage",
            f"bits, then {name}",
            lambda n: TwoStageIndex(FaissBinaryIndex(), 100, codec),
            lambda n: f"index=two_stage codec={name}",
        )


def lists(n: int) -> int:
    """Return how many lists an IVF index of `n` rows has: the power of two next to the root of n, times 4 from 1e6 on.

    FAISS's guideline; below, a sample holds too few rows to train more.
    """
    return int(2 ** round(math.log2(math.sqrt(n) * (4 if n >= 1_000_000 else 1))))


def measure(plan: Plan, rows: Vectors, queries: Vectors, truth: NDArray[np.int64]) -> Estimate:
    """Return the share of the teacher's nearest neighbours that a plan finds, with its interval.

    Parameters
    ----------
    plan : Plan
    rows, queries : ndarray of shape (n, k), (q, k)
        Of the width that is stored.
    truth : ndarray of shape (q, TOP_K), int
        From `neighbours`.
    """
    _, found = plan.make(len(rows)).build(rows).search(queries, TOP_K)
    hits = [len(np.intersect1d(one, other)) / TOP_K for one, other in zip(found, truth, strict=True)]
    return bootstrap(Sample("budget", f"recall@{TOP_K}", np.array(hits)))


def foretell(kept: float, quarter: float, factor: float) -> float:
    """Return what is kept of `factor` times as many rows, from what a quarter of them and all of them keep.

    Each fourfold is taken to cost as much as the last: candidates and codes stay as many and as coarse as they are
    while rows crowd. Where a quarter kept less, nothing is gained by more.
    """
    return max(kept - max(quarter - kept, 0.0) * max(math.log(factor, 4), 0.0), 0.0)


def neighbours(rows: Vectors, queries: Vectors) -> NDArray[np.int64]:
    """Return the teacher's nearest rows of each query (q, TOP_K) by exact search at full width."""
    return exact_top_k(queries, rows, TOP_K)[1]


def recommended(outcomes: list[Outcome], memory: float, recall: float) -> list[Outcome]:
    """Return outcomes, best first.

    Those that fit and reach the target come first, the smallest of them on top; then those that fit, the most exact
    on top; then the rest, the smallest on top.
    """

    def key(one: Outcome) -> tuple[float, ...]:
        fits, reaches = one.footprint.memory <= memory, one.foretold >= recall
        if fits and reaches:
            return (0, one.footprint.memory, one.footprint.disk, -one.foretold)
        return (1, -one.foretold, one.footprint.memory) if fits else (2, one.footprint.memory, -one.foretold)

    return sorted(outcomes, key=key)
