"""What a step compares: queries and some documents, with many documents, near neighbors among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

Rows = NDArray[Any]
_NONE = np.empty(0, np.int64)


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
    """

    queries: Tensor
    documents: Tensor
    anchors: Tensor
    relevant: Tensor


class Anchors(NamedTuple):
    """Rows that may be drawn into a step, and what lies near them.

    Attributes
    ----------
    rows : ndarray of shape (a, d), float
        Perhaps memory-mapped.
    numbers : ndarray of shape (c,), int64
        Which of the rows may be drawn.
    neighbors : ndarray of shape (c, j), int64
        For each of those the numbers of the documents nearest to it.
    """

    rows: Rows
    numbers: NDArray[np.int64]
    neighbors: NDArray[np.int64]


class NeighborBatches(Dataset[Batch]):
    """Batches as a function of seed and step alone, so that a resumed run sees what it would have seen.

    Random rows of a large corpus hold few near neighbors, and those are what has to be kept. Each query brings some
    of the documents nearest to it, and groups, a document with some of those nearest to it, fill the batch up. The
    documents of groups, no more than are asked for, are compared with all others too.

    Parameters
    ----------
    documents : Anchors
        Documents, their rows perhaps memory-mapped.
    queries : sequence of Anchors
        Query-like rows, and the documents near them: kinds of queries that share one array of rows, of which as many
        are drawn of each.
    pairs : ndarray of shape (p, 2), int64
        Number of a query and number of a document that answers it, which it brings too.
    n_queries : int
        Queries of a step.
    n_anchors : int
        Documents of a step that are compared with all of its documents.
    n_documents : int
        Documents of a step.
    near : int
        Documents that each query brings.
    group : int
        A document and its neighbors are so many rows together.
    steps : range
        Which steps these batches are for.
    seed : int
        Same seed, same batches.
    """

    def __init__(
        self,
        documents: Anchors,
        queries: Sequence[Anchors],
        pairs: NDArray[np.int64],
        *,
        n_queries: int,
        n_anchors: int,
        n_documents: int,
        near: int,
        group: int,
        steps: range,
        seed: int,
    ) -> None:
        self.documents, self.queries, self.pairs = documents, queries, pairs
        self.n_queries, self.n_anchors, self.n_documents = n_queries, n_anchors, n_documents
        self.near, self.group = near, group
        self.steps, self.seed = steps, seed

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Batch:
        generator = np.random.default_rng([self.seed, self.steps[index]])
        drawn = [_draw(kind, self.n_queries // len(self.queries), self.near, generator) for kind in self.queries]
        asked = np.unique(np.concatenate([_NONE, *(picked for picked, _ in drawn)]))
        pairs = self.pairs[np.isin(self.pairs[:, 0], asked)]
        brought = np.unique(np.concatenate([pairs[:, 1], *(near for _, near in drawn)]))
        groups = max((self.n_documents - len(brought)) // self.group, self.n_anchors // self.group, 2)
        grouped = np.concatenate(_draw(self.documents, groups, self.group - 1, generator))
        # Numbers are sorted, as memory-mapped rows like to be read.
        numbers = np.unique(np.concatenate([brought, grouped]))
        anchors = np.searchsorted(numbers, generator.permutation(np.unique(grouped))[: self.n_anchors])
        relevant = np.stack([np.searchsorted(asked, pairs[:, 0]), np.searchsorted(numbers, pairs[:, 1])], axis=1)
        queries = self.queries[0].rows[asked] if self.queries else self.documents.rows[:0]
        documents = self.documents.rows[numbers]
        return Batch(_unit(queries), _unit(documents), torch.from_numpy(anchors), torch.from_numpy(relevant))


def _draw(
    anchors: Anchors, size: int, each: int, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw anchors and so many documents near each; return the numbers of both, sorted."""
    picked = np.unique(generator.integers(len(anchors.numbers), size=size))
    chosen = generator.integers(anchors.neighbors.shape[1], size=(len(picked), each))
    near = np.unique(anchors.neighbors[picked[:, None], chosen])
    return anchors.numbers[picked], near


def _unit(rows: Rows) -> Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rows.astype(np.float32)), dim=1)
