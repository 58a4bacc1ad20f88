"""The DataModule: mine neighbors once, hold some rows out, make batches."""

from __future__ import annotations

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from projhead.indexes.faiss import FaissIndex
from projhead.training.samplers import Anchors, Batch, NeighborBatches, Rows
from projhead.vectors import unit_rows

#: Above this many documents neighbors are found by an inverted file instead of comparing all with all.
_EXACT = 20_000
_BLOCK = 16_384


def mine_neighbors(anchors: Rows, documents: Rows, depth: int) -> NDArray[np.int64]:
    """Return the numbers (a, depth) of the documents nearest to each anchor, best first."""
    n = len(documents)
    depth = min(depth, n)
    if n <= _EXACT:
        index = FaissIndex("Flat")
    else:
        index = FaissIndex(f"IVF{2 ** round(np.log2(2 * n**0.5))},SQfp16", nprobe=8)
    index.build(documents)
    found = [index.search(anchors[start : start + _BLOCK], depth)[1] for start in range(0, len(anchors), _BLOCK)]
    neighbors = np.concatenate(found)
    # The lists visited can hold fewer rows than asked for: the nearest stands in.
    return np.where(neighbors < 0, neighbors[:, :1].clip(min=0), neighbors)


class NeighborData(pl.LightningDataModule):
    """Teacher rows as training batches and one validation batch.

    Parameters
    ----------
    documents : ndarray of shape (n, d), float
        Perhaps memory-mapped: only rows of the current step are read.
    queries : ndarray of shape (q, d), float, or None
        Query-like rows of the same teacher.
    pairs : ndarray of shape (p, 2), int64
        Number of a query and number of a document that answers it. Where there are any, half of a step's queries are
        of those.
    n_queries, n_anchors, n_documents, near, group, seed
        As in `NeighborBatches`.
    depth : int
        How many near documents of each anchor are mined to draw from.
    max_anchors : int
        Anchors whose neighbors are mined; a random choice where there are more rows.
    steps_per_epoch : int
        Steps between validations; an "epoch" is this and nothing else.
    validation_rows : int
        Rows held out at most (and never more than a twentieth).
    """

    def __init__(
        self,
        documents: Rows,
        queries: Rows | None,
        pairs: NDArray[np.int64],
        *,
        n_queries: int,
        n_anchors: int,
        n_documents: int,
        near: int,
        group: int,
        depth: int,
        max_anchors: int,
        steps_per_epoch: int,
        validation_rows: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.documents, self.queries, self.pairs = documents, queries, pairs
        self.depth, self.max_anchors = depth, max_anchors
        self.sizes = {
            "n_queries": n_queries,
            "n_anchors": n_anchors,
            "n_documents": n_documents,
            "near": near,
            "group": group,
        }
        self.steps_per_epoch, self.validation_rows, self.seed = steps_per_epoch, validation_rows, seed
        self.anchors: list[Anchors] = []

    def setup(self, stage: str) -> None:
        """Hold rows out and mine neighbors; the same for the same seed."""
        if self.anchors:
            return
        pool = self.documents if self.queries is None else self.queries
        order = np.random.default_rng(self.seed).permutation(len(pool))
        n_held_out = min(self.validation_rows, len(order) // 20)
        # With too few rows to hold any out the training rows validate, which is better than nothing.
        self.validation = pool[np.sort(order[:n_held_out])] if n_held_out > 20 else pool[: self.validation_rows]
        rest = order[n_held_out:]
        if self.queries is None:
            self.anchors = [self._anchors(self.documents, rest)]
        else:
            everything = np.random.default_rng(self.seed).permutation(len(self.documents))
            labeled = np.isin(rest, self.pairs[:, 0])
            kinds = [kind for kind in (rest[~labeled], rest[labeled]) if len(kind)]
            self.anchors = [
                self._anchors(self.documents, everything),
                *(self._anchors(self.queries, kind) for kind in kinds),
            ]

    def _anchors(self, pool: Rows, order: NDArray[np.int64]) -> Anchors:
        numbers = np.sort(order[: self.max_anchors])
        return Anchors(pool, numbers, mine_neighbors(pool[numbers], self.documents, self.depth))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the batches of the current epoch, numbered by step."""
        assert self.trainer is not None
        done = self.trainer.global_step
        steps = range(done, done + self.steps_per_epoch)
        documents, *queries = self.anchors
        batches = NeighborBatches(documents, queries, self.pairs, steps=steps, seed=self.seed, **self.sizes)
        return DataLoader(batches, batch_size=None, shuffle=False)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return one batch: held-out queries with a sample of documents, or held-out documents."""
        held_out, nothing = torch.from_numpy(unit_rows(self.validation)), torch.empty(0, 2, dtype=torch.int64)
        if self.queries is None:
            batch = Batch(held_out[:0], held_out, torch.arange(len(held_out)), nothing)
        else:
            chosen = np.random.default_rng(self.seed).permutation(len(self.documents))[: 4 * self.validation_rows]
            documents = torch.from_numpy(unit_rows(self.documents[np.sort(chosen)]))
            batch = Batch(held_out, documents, nothing[:, 0], nothing)
        return DataLoader([batch], batch_size=None)  # type: ignore[arg-type]
