"""Draw the queries and documents of a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

Rows = NDArray[Any]
#: Documents count as the softmax over their similarities at this temperature, that of the losses.
_NEAR = 0.05


class Batch(NamedTuple):
    """Teacher rows of one step.

    Attributes
    ----------
    queries : Tensor of shape (b, d), float32
        Rows that are compared with the documents; b is 0 where there are no queries.
    documents : Tensor of shape (m, d), float32
    anchors : Tensor of shape (a,), int64
        Which of the documents are compared with all of them, as queries are.
    relevant : Tensor of shape (r, 2), int64
        Row of a query and row of a document that somebody judged to answer it.
    similarities : Tensor of shape (a, m), float32, or None
        Of the anchors to the documents, where they are known already.
    log_weights : Tensor of shape (m,), float32, or None
        Logarithms of how many documents each stands for; None where each stands for itself.
    """

    queries: Tensor
    documents: Tensor
    anchors: Tensor
    relevant: Tensor
    similarities: Tensor | None = None
    log_weights: Tensor | None = None


def part_of(batch: Batch, number: int, world: int) -> Batch:
    """Return what one of several processes takes of a batch: every so many queries and anchors, all documents."""
    if world == 1:
        return batch
    mine = batch.relevant[:, 0] % world == number
    return Batch(
        batch.queries[number::world],
        batch.documents,
        batch.anchors[number::world],
        torch.stack([batch.relevant[mine, 0] // world, batch.relevant[mine, 1]], dim=1),
        None if batch.similarities is None else batch.similarities[number::world],
        batch.log_weights,
    )


class Drawn(NamedTuple):
    """Rows that may be drawn into a step.

    Attributes
    ----------
    rows : ndarray of shape (n, d), float
        Perhaps memory-mapped.
    numbers : ndarray of shape (c,), int64
        Which of them.
    """

    rows: Rows
    numbers: NDArray[np.int64]

    def draw(self, size: int, generator: np.random.Generator) -> NDArray[np.int64]:
        """Return the numbers of a random choice of so many, all where there are no more, in random order."""
        if size >= len(self.numbers):
            return generator.permutation(self.numbers)
        return self.numbers[generator.choice(len(self.numbers), size, replace=False, shuffle=True)]


class Whole(NamedTuple):
    """Documents of which every step has all: they are made unit length and compared once.

    Attributes
    ----------
    documents : Tensor of shape (m, d), float32
        Unit rows, in the order of their numbers.
    similarities : Tensor of shape (m, m), float32
    """

    documents: Tensor
    similarities: Tensor

    @classmethod
    def of(cls, drawn: Drawn, n_documents: int) -> Self | None:
        """Return what is the same in every step of so many documents, None where steps differ."""
        if len(drawn.numbers) > n_documents:
            return None
        documents = _unit(drawn.rows[np.sort(drawn.numbers)])
        return cls(documents, documents @ documents.T)


class RandomBatches(Dataset[Batch]):
    """Batches as a function of seed and step alone, so that a resumed run sees what it would have seen.

    Parameters
    ----------
    documents : Drawn
    queries : sequence of Drawn
        Kinds of query-like rows that share one array of rows, of which as many are drawn of each.
    pairs : ndarray of shape (p, 2), int64
        Number of a query and number of a document that answers it, which it brings too.
    n_queries : int
        Queries of a step.
    n_anchors : int
        Documents of a step that are compared with all of its documents.
    n_documents : int
        Documents of a step.
    document_pool : int
        Documents that are drawn to choose them from: half are those of it that count most beside the step's queries
        and anchors, the others are random and stand for all that is left of it. A large corpus thus gives near
        documents to every query. No more than `n_documents`: all that are drawn are taken.
    steps : range
        Which steps these batches are for.
    seed : int
        Same seed, same batches.
    whole : Whole, optional
        What steps have in common that have all documents.
    """

    def __init__(
        self,
        documents: Drawn,
        queries: Sequence[Drawn],
        pairs: NDArray[np.int64],
        *,
        n_queries: int,
        n_anchors: int,
        n_documents: int,
        document_pool: int,
        steps: range,
        seed: int,
        whole: Whole | None = None,
    ) -> None:
        self.documents, self.queries, self.pairs = documents, queries, pairs
        self.n_queries, self.n_anchors, self.n_documents = n_queries, n_anchors, n_documents
        self.document_pool = document_pool
        self.steps, self.seed, self.whole = steps, seed, whole

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Batch:
        generator = np.random.default_rng([self.seed, self.steps[index]])
        kinds = [kind.draw(self.n_queries // len(self.queries), generator) for kind in self.queries]
        asked = np.sort(np.concatenate([np.empty(0, np.int64), *kinds]))
        pairs = self.pairs[np.isin(self.pairs[:, 0], asked)]
        drawn = self.documents.draw(max(self.n_documents, self.document_pool), generator)
        # Numbers are sorted, as memory-mapped rows like to be read.
        numbers = np.unique(np.concatenate([drawn, pairs[:, 1]]))
        anchors = np.searchsorted(numbers, drawn[: min(self.n_anchors, self.n_documents)])
        relevant = np.stack([np.searchsorted(asked, pairs[:, 0]), np.searchsorted(numbers, pairs[:, 1])], axis=1)
        queries = _unit(self.queries[0].rows[asked] if self.queries else self.documents.rows[:0])
        if self.whole is not None:
            documents, similarities = self.whole.documents, self.whole.similarities[anchors]
        else:
            documents, similarities = _unit(self.documents.rows[numbers]), None
        batch = Batch(queries, documents, torch.from_numpy(anchors), torch.from_numpy(relevant), similarities)
        return batch if len(drawn) <= self.n_documents else _narrowed(batch, self.n_documents, generator)


def _narrowed(batch: Batch, n_documents: int, generator: np.random.Generator) -> Batch:
    """Keep the documents that count most, and others for the rest: sums over all keep their expected value."""
    m, b = len(batch.documents), len(batch.queries)
    nearness = torch.cat([batch.queries, batch.documents[batch.anchors]]) @ batch.documents.T
    nearness[torch.arange(b, len(nearness)), batch.anchors] = -1.0  # an anchor is not its own neighbor
    mass = torch.softmax(nearness.div_(_NEAR), dim=1).sum(0)
    mass[batch.anchors] = mass[batch.relevant[:, 1]] = torch.inf
    order = mass.argsort(descending=True)
    near = max(n_documents // 2, int(mass.isinf().sum()))
    rest = order[near:]
    size = min(max(n_documents - near, 1), len(rest))
    some = rest[torch.from_numpy(generator.permutation(len(rest))[:size])]
    kept = torch.cat([order[:near], some])
    log_weights = torch.zeros(len(kept))
    log_weights[near:] = math.log(max(len(rest), 1) / max(size, 1))
    places = torch.empty(m, dtype=torch.int64).index_copy_(0, kept, torch.arange(len(kept)))
    relevant = torch.stack([batch.relevant[:, 0], places[batch.relevant[:, 1]]], dim=1)
    return Batch(batch.queries, batch.documents[kept], places[batch.anchors], relevant, None, log_weights)


def _unit(rows: Rows) -> Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rows.astype(np.float32)), dim=1)
