"""The DataModule of rows."""

from __future__ import annotations

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from projhead.training.samplers import Batch, Drawn, RandomBatches, Rows, Whole
from projhead.vectors import unit_rows


class RowData(pl.LightningDataModule):
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
    held_out : ndarray of shape (h,), int64
        Numbers of the queries, or of the documents where there are none, that are not trained on.
    n_queries, n_anchors, n_documents, document_pool, seed
        As in `RandomBatches`.
    steps_per_epoch : int
        Steps between validations; an "epoch" is this and nothing else.
    validation_rows : int
        Rows that validate, at most.
    """

    def __init__(
        self,
        documents: Rows,
        queries: Rows | None,
        pairs: NDArray[np.int64],
        held_out: NDArray[np.int64],
        *,
        n_queries: int,
        n_anchors: int,
        n_documents: int,
        document_pool: int,
        steps_per_epoch: int,
        validation_rows: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.pairs, self.pool = pairs, documents if queries is None else queries
        self.sizes = dict(
            n_queries=n_queries, n_anchors=n_anchors, n_documents=n_documents, document_pool=document_pool
        )
        self.steps_per_epoch, self.validation_rows, self.seed = steps_per_epoch, validation_rows, seed
        rest = np.delete(np.arange(len(self.pool)), held_out)
        # With too few rows to hold any out the training rows validate, which is better than nothing.
        self.validating = (held_out if len(held_out) else rest)[:validation_rows]
        if queries is None:
            self.documents, self.queries = Drawn(documents, rest), []
        else:
            judged = np.isin(rest, pairs[:, 0])
            self.documents = Drawn(documents, np.arange(len(documents)))
            self.queries = [Drawn(queries, kind) for kind in (rest[~judged], rest[judged]) if len(kind)]
        self.whole = Whole.of(self.documents, n_documents)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the batches of the current epoch, numbered by step."""
        assert self.trainer is not None
        done = self.trainer.global_step
        steps = range(done, done + self.steps_per_epoch)
        batches = RandomBatches(
            self.documents, self.queries, self.pairs, steps=steps, seed=self.seed, whole=self.whole, **self.sizes
        )
        return DataLoader(batches, batch_size=None, shuffle=False)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return one batch: held-out queries with a sample of documents, or held-out documents."""
        held_out = torch.from_numpy(unit_rows(self.pool[np.sort(self.validating)]))
        nothing = torch.empty(0, 2, dtype=torch.int64)
        if not self.queries:
            batch = Batch(held_out[:0], held_out, torch.arange(len(held_out)), nothing)
        else:
            chosen = self.documents.draw(4 * self.validation_rows, np.random.default_rng(self.seed))
            documents = torch.from_numpy(unit_rows(self.documents.rows[np.sort(chosen)]))
            batch = Batch(held_out, documents, nothing[:, 0], nothing)
        return DataLoader([batch], batch_size=None)  # type: ignore[arg-type]
