"""What a step compares: anchors against candidates, near neighbours mined into the candidates."""

from __future__ import annotations

from dataclasses import dataclass
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
    anchors : Tensor of shape (b, d), float32
        Rows whose neighbour order the student is to keep: queries first, then documents.
    candidates : Tensor of shape (m, d), float32
        Documents they are compared with.
    own : Tensor of shape (b, m), bool
        True where a candidate is the anchor itself.
    """

    anchors: Tensor
    candidates: Tensor
    own: Tensor


@dataclass(frozen=True)
class Anchors:
    """Rows to anchor on, and for each the documents nearest to it by the teacher.

    Attributes
    ----------
    rows : ndarray of shape (n, d), float
        Where anchors come from: queries, or the documents themselves.
    chosen : ndarray of shape (a,), int64
        Which of `rows` are anchors.
    neighbours : ndarray of shape (a, j), int64
        Numbers of near documents, best first.
    """

    rows: Rows
    chosen: NDArray[np.int64]
    neighbours: NDArray[np.int64]

    def draw(
        self, size: int, n_neighbours: int, generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (numbers of `size` rows, numbers of documents near to them)."""
        picked = np.unique(generator.integers(len(self.chosen), size=min(size, len(self.chosen))))
        depth = self.neighbours.shape[1]
        columns = generator.integers(depth, size=(len(picked), min(n_neighbours, depth)))
        return self.chosen[picked], self.neighbours[picked[:, None], columns].ravel()


class NeighbourBatches(Dataset[Batch]):
    """Batches as a function of seed and step alone, so that a resumed run sees what it would have seen.

    Parameters
    ----------
    documents : Anchors
        The documents; they are the candidates too.
    queries : Anchors or None
        Query-like rows, where there are any.
    n_queries, n_documents : int
        Anchors of a step that are queries, and that are documents.
    n_neighbours : int
        Near documents that each anchor brings into the candidates.
    n_random : int
        Random documents among the candidates.
    steps : range
        Which steps these batches are for.
    seed : int
        Same seed, same batches.
    """

    def __init__(
        self,
        documents: Anchors,
        queries: Anchors | None,
        *,
        n_queries: int,
        n_documents: int,
        n_neighbours: int,
        n_random: int,
        steps: range,
        seed: int,
    ) -> None:
        self.documents, self.queries = documents, queries
        self.n_queries, self.n_documents = n_queries, n_documents
        self.n_neighbours, self.n_random = n_neighbours, n_random
        self.steps, self.seed = steps, seed

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, index: int) -> Batch:
        generator = np.random.default_rng([self.seed, self.steps[index]])
        rows = self.documents.rows
        anchors, near = self.documents.draw(self.n_documents, self.n_neighbours, generator)
        candidates = [anchors, near, generator.integers(len(rows), size=min(self.n_random, len(rows)))]
        anchor_rows = [rows[anchors]]
        if self.queries is not None:
            queries, near = self.queries.draw(self.n_queries, self.n_neighbours, generator)
            candidates.append(near)
            anchor_rows.insert(0, self.queries.rows[queries])
        # Sorted, as memory-mapped rows like to be read.
        numbers = np.unique(np.concatenate(candidates))
        own = np.zeros((sum(map(len, anchor_rows)), len(numbers)), bool)
        own[len(own) - len(anchors) :] = anchors[:, None] == numbers[None, :]
        return Batch(_unit(np.concatenate(anchor_rows)), _unit(rows[numbers]), torch.from_numpy(own))


def _unit(rows: Rows) -> Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rows.astype(np.float32)), dim=1)
