"""The DataModule: mine neighbours once, hold some rows out, make batches."""

from __future__ import annotations


import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from projhead.indexes.faiss import FaissIndex
from projhead.training.batches import Anchors, Batch, NeighbourBatches, Rows
from projhead.vectors import unit_rows

#: Above this many documents neighbours are found by an inverted file instead of comparing all with all.
_EXACT = 20_000
_BLOCK = 16_384


def mine_neighbours(anchors: Rows, documents: Rows, depth: int) -> NDArray[np.int64]:
    """Return the numbers (a, depth) of the documents nearest to each anchor, best first."""
    n = len(documents)
    depth = min(depth, n)
    if n <= _EXACT:
        index = FaissIndex("Flat")
    else:
        index = FaissIndex(f"IVF{2 ** round(np.log2(2 * n**0.5))},SQfp16", nprobe=8)
    index.build(documents)
    found = [index.search(anchors[start : start + _BLOCK], depth)[1] for start in range(0, len(anchors), _BLOCK)]
    neighbours = np.concatenate(found)
    # A visited list can hold fewer rows than asked for: the nearest stands in.
    return np.where(neighbours < 0, neighbours[:, :1].clip(min=0), neighbours)


class NeighbourData(pl.LightningDataModule):
    """Teacher rows as training batches and one validation batch.

    Parameters
    ----------
    documents : ndarray of shape (n, d), float
        Perhaps memory-mapped: only rows of the current step are read.
    queries : ndarray of shape (q, d), float, or None
        Query-like rows of the same teacher.
    n_queries, n_documents, n_neighbours, n_random, seed
        As in `NeighbourBatches`.
    depth : int
        How many near documents of each anchor are mined to draw from.
    max_anchors : int
        Anchors whose neighbours are mined; a random choice where there are more rows.
    steps_per_epoch : int
        Steps between validations; an "epoch" is this and nothing else.
    validation_rows : int
        Rows held out at most (and never more than a twentieth).
    """

    def __init__(
        self,
        documents: Rows,
        queries: Rows | None,
        *,
        n_queries: int,
        n_documents: int,
        n_neighbours: int,
        n_random: int,
        depth: int,
        max_anchors: int,
        steps_per_epoch: int,
        validation_rows: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.rows, self.query_rows, self.depth, self.max_anchors = documents, queries, depth, max_anchors
        self.draws = {
            "n_queries": n_queries, "n_documents": n_documents, "n_neighbours": n_neighbours, "n_random": n_random
        }  # fmt: skip
        self.steps_per_epoch, self.validation_rows, self.seed = steps_per_epoch, validation_rows, seed
        self.documents: Anchors | None = None

    def setup(self, stage: str) -> None:
        """Hold rows out and mine neighbours; the same for the same seed."""
        if self.documents is not None:
            return
        generator = np.random.default_rng(self.seed)
        anchor_rows = self.rows if self.query_rows is None else self.query_rows
        order = generator.permutation(len(anchor_rows))
        held_out = np.sort(order[: min(self.validation_rows, len(order) // 20)])
        kept = np.sort(order[len(held_out) :][: self.max_anchors])
        # Too few rows to hold any out: the training rows validate, which is better than nothing.
        self.validation = anchor_rows[held_out] if len(held_out) > 20 else anchor_rows[: self.validation_rows]
        if self.query_rows is None:
            self.documents = self._anchors(self.rows, kept)
            self.queries = None
        else:
            every = np.sort(generator.permutation(len(self.rows))[: self.max_anchors])
            self.documents = self._anchors(self.rows, every)
            self.queries = self._anchors(self.query_rows, kept)

    def _anchors(self, rows: Rows, chosen: NDArray[np.int64]) -> Anchors:
        return Anchors(rows, chosen, mine_neighbours(rows[chosen], self.rows, self.depth))

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the batches of the current epoch, numbered by step."""
        assert self.trainer is not None
        assert self.documents is not None
        first = self.trainer.current_epoch * self.steps_per_epoch
        steps = range(first, first + self.steps_per_epoch)
        batches = NeighbourBatches(self.documents, self.queries, steps=steps, seed=self.seed, **self.draws)
        return DataLoader(batches, batch_size=None, shuffle=False)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return one batch: held-out rows against documents (themselves, where there are no queries)."""
        anchors = torch.from_numpy(unit_rows(self.validation))
        if self.query_rows is None:
            batch = Batch(anchors, anchors, torch.eye(len(anchors), dtype=torch.bool))
        else:
            chosen = np.sort(np.random.default_rng(self.seed).permutation(len(self.rows))[: 4 * self.validation_rows])
            documents = torch.from_numpy(unit_rows(self.rows[chosen]))
            batch = Batch(anchors, documents, torch.zeros(len(anchors), len(documents), dtype=torch.bool))
        return DataLoader([batch], batch_size=None)


