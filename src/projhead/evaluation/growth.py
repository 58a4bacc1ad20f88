"""Retrieval as the corpus grows: a set's judged documents among more and more others, in one pass over those.

Compression that loses nothing among ten thousand documents does among ten million (CoRECT: Caspari et al., "CoRECT: A
framework for evaluating embedding compression techniques at scale", 2025).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from projhead.corpora.retrieval import RetrievalSet
from projhead.corpora.split import order_of
from projhead.data import Scores
from projhead.encoders.coded import Coded
from projhead.encoders.reduced import Reduced
from projhead.encoders.remembered import Remembered
from projhead.engines.serial import Serial
from projhead.evaluation.block_search import NEVER, Best, Block, Moved, best_of, merged
from projhead.persistence.identity import EncoderIdentity, expect_same
from projhead.protocols import Encoder, Engine
from projhead.store.arrow import evenly
from projhead.store.store import EmbeddingStore
from projhead.tasks.retrieval import Retrieval, gains_of, measures
from projhead.vectors import Vectors, exact_top_k, unit_rows

#: Rows that codecs are fitted to.
_FITTED = 16_384


class Growth:
    """Measure retrieval sets in corpora of several sizes.

    A corpus of a size is all documents of the set and as many others as are missing, in the order of a digest of their
    texts: each holds the smaller ones. Others with a text that the set has, or that came before, are left out. What the
    best documents of every system are is kept, and no more: of the store, memory holds the digests of its texts and one
    block of rows.

    Parameters
    ----------
    others : EmbeddingStore
        The teacher's vectors of unjudged texts, with those.
    sizes : sequence of int
        Documents of each corpus.
    engine : Engine, optional
        What searches the store's shards; this process where not given.
    show_progress : bool

    Raises
    ------
    ValueError
        If the store holds no texts.
    """

    def __init__(
        self,
        others: EmbeddingStore,
        sizes: Sequence[int],
        *,
        engine: Engine | None = None,
        show_progress: bool = False,
    ) -> None:
        self.others, self.sizes, self.show_progress = others, sorted(set(sizes)), show_progress
        self.engine = engine or Serial()
        self._order = np.fromiter(map(order_of, _texts(others)), np.uint64, len(others))

    def run(self, systems: Sequence[Coded], tasks: Sequence[Retrieval], teacher: EncoderIdentity) -> list[list[Scores]]:
        """Return what each system gets in every set at every size.

        Raises
        ------
        ValueError
            If the store is of another teacher, a set alone has more documents than a size, there are too few others, or
            a system is no head of the teacher.
        """
        expect_same(teacher, self.others.identity, str(self.others.folder), "encode the other texts with that")
        made = [_System.of(coded, teacher, self.others) for coded in systems]
        sets = [
            _Set(data, task, self._sizes_of_rows(data), self.sizes, task.deepest)
            for task in tasks
            for data in task.sets
        ]
        for one in sets:
            for system in made:
                one.begin(system)
        search = partial(
            best_of, systems=[one.moved for one in made], depths=[one.deepest for one in sets],
            queries=[[one.queries[id(system)] for one in sets] for system in made],
        )  # fmt: skip
        with tqdm(total=len(self.others), desc="growth", unit="row", disable=not self.show_progress) as bar:
            for n, found in self.engine.map(search, self._blocks(sets)):
                for (of, among, number), best in found.items():
                    sets[among].add(made[of], number, best)
                bar.update(n)
        return [[scores for one in sets for scores in one.scores(system)] for system in made]

    def _blocks(self, sets: Sequence[_Set]) -> Iterator[Block]:
        start = 0
        for rows in self.others.blocks():
            part = slice(start, start + len(rows))
            yield Block(start, rows, [one.sizes_of_rows[part] for one in sets])
            start += len(rows)

    def _sizes_of_rows(self, data: RetrievalSet) -> NDArray[np.int8]:
        """Return which of the sizes is the first to hold each row of the store; -1 for none."""
        own = len(data.corpus)
        if own > self.sizes[0]:
            raise ValueError(
                f"sizes: {data.name} alone has {own:,} documents, got {self.sizes[0]:,}; give sizes of {own:,} or more"
            )
        judged = np.array([order_of(one.text) for one in data.corpus], np.uint64)
        distinct, first = np.unique(self._order, return_index=True)
        places = first[~np.isin(distinct, judged)]
        if (most := own + len(places)) < self.sizes[-1]:
            raise ValueError(
                f"sizes: got {self.sizes[-1]:,}, and {data.name} with all different texts of {self.others.folder} has "
                f"{most:,}; give smaller sizes, or a store of more texts"
            )
        found = np.full(len(self._order), NEVER, np.int8)
        for number, size in reversed(list(enumerate(self.sizes))):
            found[places[: size - own]] = number
        return found


def growth_of(
    others: str | Path | None, sizes: Sequence[int], *, engine: Engine | None = None, show_progress: bool = False
) -> Growth | None:
    """Return the `Growth` of a store's path and some sizes; None where nothing is given.

    Raises
    ------
    ValueError
        If one of the two is missing, or the store holds no texts.
    """
    if others is None and not sizes and engine is None:
        return None
    if others is None or not sizes:
        raise ValueError(
            f"expected sizes=[...] and others=<store> together, with or without an engine, got sizes={sizes}, "
            f"others={others}"
        )
    return Growth(EmbeddingStore.open(others), sizes, engine=engine, show_progress=show_progress)


def _texts(store: EmbeddingStore) -> Iterator[str]:
    if not store.manifest.keep_texts:
        raise ValueError(f"{store.folder} holds no texts, which decide their order: encode again with keep_texts=true")
    for batch in store.table.select(["text"]).to_batches(max_chunksize=65_536):
        yield from batch["text"].to_pylist()


@dataclass(frozen=True, eq=False)
class _System:
    """A candidate in one codec."""

    coded: Coded
    moved: Moved

    @classmethod
    def of(cls, coded: Coded, teacher: EncoderIdentity, others: EmbeddingStore) -> _System:
        encoder = _inner(coded.encoder)
        if isinstance(encoder, Reduced):
            head = copy(encoder.fitted)
            head.store_ = None  # workers have no use for it
            move: Callable[[Vectors], Vectors] = head.transform
        elif encoder.identity == teacher:
            move = _same
        else:
            raise ValueError(f"sizes: {coded.name} is no head of the teacher, of which the vectors are: give artifacts")
        sample = move(unit_rows(others.take(evenly(len(others), _FITTED))))
        return cls(coded, Moved(move, coded.settled(sample)))


def _inner(encoder: Encoder) -> Encoder:
    """Return what an encoder that only remembers stands for."""
    while isinstance(encoder, Remembered):
        encoder = encoder.encoder
    return encoder


def _same(rows: Vectors) -> Vectors:
    return rows


@dataclass(eq=False)
class _Set:
    """A retrieval set, and the best documents that systems found at each of the sizes so far.

    Documents of the set are numbered first, the others after them by their rows.
    """

    data: RetrievalSet
    task: Retrieval
    sizes_of_rows: NDArray[np.int8]
    sizes: Sequence[int]
    deepest: int
    queries: dict[int, Vectors] = field(default_factory=dict)
    best: dict[tuple[int, int], Best] = field(default_factory=dict)

    def begin(self, system: _System) -> None:
        """Look for the queries among the set's own documents."""
        encoder = system.coded.encoder
        self.queries[id(system)] = encoder.encode_query([one.text for one in self.data.queries])
        rows = encoder.encode_document([one.text for one in self.data.corpus])
        rows = system.moved.codec.decode(system.moved.codec.encode(rows))
        self.best[id(system), 0] = exact_top_k(self.queries[id(system)], rows, self.task.deepest)

    def add(self, system: _System, number: int, found: Best) -> None:
        """Go on with what a block of others holds for a size."""
        key, new = (id(system), number), (found[0], found[1] + len(self.data.corpus))
        self.best[key] = merged(self.best[key], new, self.task.deepest) if key in self.best else new

    def scores(self, system: _System) -> Iterator[Scores]:
        """Yield every metric at every size."""
        whole = self.best[id(system), 0]
        for number, size in enumerate(self.sizes):
            if number and (id(system), number) in self.best:
                whole = merged(whole, self.best[id(system), number], self.task.deepest)
            for metric, items in measures(gains_of(self.data, whole[1], self.task.deepest), self.data, self.task.top_k):
                yield Scores(f"retrieval/{self.data.name}, {size:,} documents", metric, items, documents=size)
