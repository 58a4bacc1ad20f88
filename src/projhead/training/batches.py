"""What a step compares: queries with documents, and documents with each other, near neighbours among them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

Rows = NDArray[Any]


class Batch(NamedTuple):
    """Teacher rows of one step.

    Attributes
    ----------
    queries : Tensor of shape (b, d), float32
        Rows that are compared with the documents; b is 0 where there are no queries.
    documents : Tensor of shape (m, d), float32
        Rows that are compared with each other too.
    """

    queries: Tensor
    documents: Tensor


class NeighbourBatches(Dataset[Batch]):
    """Batches as a function of seed and step alone, so that a resumed run sees what it would have seen.

    Random rows of a large corpus hold few near neighbours, and those are what has to be kept: each batch is made of
    groups, an anchor and some of the documents nearest to it.

    Parameters
    ----------
    documents : ndarray of shape (n, d), float
        Perhaps memory-mapped.
    queries : ndarray of shape (q, d), float, or None
        Where given, anchors are drawn from them, else from the documents.
    anchors : ndarray of shape (a,), int64
        Which queries, or documents, may be drawn.
    neighbours : ndarray of shape (a, j), int64
        For each anchor the numbers of the documents nearest to it.
    n_queries : int
        Queries of a step.
    n_documents : int
        Documents of a step.
    group : int
        Where there are no queries, an anchor and its neighbours are so many rows together.
    steps : range
        Which steps these batches are for.
    seed : int
        Same seed, same batches.
    """

    def __init__(
        self,
        documents: Rows,
        queries: Rows | None,
        anchors: NDArray[np.int64],
        neighbours: NDArray[np.int64],
        *,
        n_queries: int,
        n_documents: int,
        group: int,
        steps: range,
        seed: int,
    ) -> None:
        self.documents, self.queries, self.anchors, self.neighbours = documents, queries, anchors, neighbours
        self.n_queries, self.n_documents, self.group = n_queries, n_documents, group
        self.steps, self.seed = steps, seed

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Batch:
        generator = np.random.default_rng([self.seed, self.steps[index]])
        n, depth = len(self.documents), self.neighbours.shape[1]
        size = max(self.n_documents // self.group, 2) if self.queries is None else self.n_queries
        picked = np.unique(generator.integers(len(self.anchors), size=size))
        # Queries bring as many near documents as the step has room for.
        each = self.group - 1 if self.queries is None else max(self.n_documents // len(picked), 1)
        near = self.neighbours[picked[:, None], generator.integers(depth, size=(len(picked), each))].ravel()
        anchors = self.anchors[picked]
        if self.queries is None:
            numbers, queries = np.unique(np.concatenate([anchors, near])), self.documents[:0]
        else:
            near = np.unique(near)
            more = generator.integers(n, size=max(self.n_documents - len(near), 0))
            numbers, queries = np.unique(np.concatenate([near, more])), self.queries[anchors]
        # Numbers are sorted, as memory-mapped rows like to be read.
        return Batch(_unit(queries), _unit(self.documents[numbers]))


def _unit(rows: Rows) -> Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rows.astype(np.float32)), dim=1)
