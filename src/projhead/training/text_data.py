"""The DataModule of texts: batches of like length with the teacher's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from projhead.corpora.batching import token_batches
from projhead.indexes.faiss import FaissIndex
from projhead.training.samplers import Rows
from projhead.vectors import unit_rows
from projhead.vectors.lazy import chosen_rows

#: Texts whose order is random but for their lengths: batches of like length are made of so many.
_WINDOW = 2048
#: Above this many documents neighbors are found by an inverted file instead of comparing all with all.
_EXACT = 20_000
#: Neighbors are looked for among so many documents at the most: 1.5 GB at 768 dimensions, whatever the corpus has.
_MOST = 1_000_000
_BLOCK = 16_384

#: Texts to what a network reads.
Preprocess = Callable[[list[str]], dict[str, Any]]


class TextBatch(NamedTuple):
    """Texts of one step, and the teacher's rows of them and of the documents that they are compared with.

    Attributes
    ----------
    features : dict of str to Tensor
        What the student's network reads of b texts.
    rows : Tensor of shape (b, d), float32
        The teacher's rows of the texts.
    documents : Tensor of shape (m, d), float32
        The teacher's rows of documents, some near to each text among them.
    self_mask : Tensor of shape (b, m), bool
        Where a text is a document and meets itself.
    """

    features: dict[str, Tensor]
    rows: Tensor
    documents: Tensor
    self_mask: Tensor


class TextData(pl.LightningDataModule):
    """Texts with the teacher's vectors of them; the first of them are the documents.

    Parameters
    ----------
    texts : sequence of str
        Documents, then query-like texts.
    rows : ndarray of shape (n, d), float
        The teacher's vectors of the texts.
    total : int
        How many of the texts are documents: they are the ones that every text is compared with.
    preprocess : callable
        From texts to what the student's network reads.
    lengths : sequence of int
        Tokens of each text that the network reads.
    token_budget : int
        Padded tokens of a step.
    n_documents : int
        Documents of a step drawn at random, to compare texts with.
    neighbors_per_query : int
        Near documents that each text brings.
    neighbor_pool : int
        Near documents are drawn from this many nearest, of a large corpus those among a million of its documents.
    steps_per_epoch : int
        Steps between validations; an "epoch" is this and nothing else.
    validation_rows : int
        Texts held out at most (and never more than a twentieth).
    seed : int
        Same seed, same batches.
    """

    def __init__(
        self,
        texts: Sequence[str],
        rows: Rows,
        total: int,
        *,
        preprocess: Preprocess,
        lengths: Sequence[int],
        token_budget: int,
        n_documents: int,
        neighbors_per_query: int,
        neighbor_pool: int,
        steps_per_epoch: int,
        validation_rows: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.texts, self.rows, self.total = texts, rows, total
        self.preprocess, self.lengths, self.token_budget = preprocess, np.asarray(lengths, np.int64), token_budget
        self.n_documents, self.neighbors_per_query, self.neighbor_pool = n_documents, neighbors_per_query, neighbor_pool
        self.steps_per_epoch, self.validation_rows, self.seed = steps_per_epoch, validation_rows, seed
        self._index: FaissIndex | None = None

    def setup(self, stage: str) -> None:
        """Hold texts out and index the documents, so that near ones are found; the same for the same seed."""
        if self._index is not None:
            return
        order = np.random.default_rng(self.seed).permutation(len(self.texts))
        held_out = min(self.validation_rows, len(order) // 20)
        # With too few texts to hold any out the training texts validate, which is better than nothing.
        self.validation = np.sort(order[:held_out] if held_out > 20 else order[: self.validation_rows])
        self.training = np.sort(order[held_out:])
        self._documents = np.arange(self.total)
        if self.total > _MOST:
            self._documents = self._random(_MOST, np.random.default_rng(self.seed))
        self._index = _index_of(chosen_rows(self.rows, self._documents))

    def train_dataloader(self) -> DataLoader[TextBatch]:
        """Return the batches of the current epoch, numbered by step."""
        assert self.trainer is not None
        done = self.trainer.global_step
        plan = list(islice(self._plan(), done, done + self.steps_per_epoch))
        self._mine(np.unique(np.concatenate(plan)))
        return DataLoader(_Numbered(plan, done, self._batch_of_step), batch_size=None, shuffle=False)

    def val_dataloader(self) -> DataLoader[TextBatch]:
        """Return the held-out texts, all compared with the same documents."""
        batches = token_batches(self.lengths[self.validation], self.token_budget)
        documents = self._random(4 * self.validation_rows, np.random.default_rng(self.seed))
        held_out = [self._batch(self.validation[batch], documents) for batch in batches]
        return DataLoader(held_out, batch_size=None)  # type: ignore[arg-type]

    def _plan(self) -> Iterator[NDArray[np.int64]]:
        """Yield the numbers of each step's texts, for ever: in each pass all texts once, in another order."""
        generator = np.random.default_rng(self.seed)
        while True:
            order = generator.permutation(self.training)
            for start in range(0, len(order), _WINDOW):
                window = order[start : start + _WINDOW]
                batches = token_batches(self.lengths[window], self.token_budget)
                yield from (window[batches[number]] for number in generator.permutation(len(batches)))

    def _mine(self, numbers: NDArray[np.int64]) -> None:
        """Find the documents nearest to some texts: those of an epoch are all that it asks for."""
        assert self._index is not None
        self._mined = numbers
        self._neighbors = np.empty((len(numbers), min(self.neighbor_pool, len(self._documents))), np.int64)
        for start in range(0, len(numbers), _BLOCK):
            some = slice(start, start + _BLOCK)
            found = self._index.search(self.rows[numbers[some]], self._neighbors.shape[1])[1]
            # The lists visited can hold fewer rows than asked for: the nearest stands in.
            self._neighbors[some] = self._documents[np.where(found < 0, found[:, :1].clip(min=0), found)]

    def _batch_of_step(self, numbers: NDArray[np.int64], step: int) -> TextBatch:
        """Return the batch of some mined texts, a function of those, the seed and the step alone."""
        generator = np.random.default_rng([self.seed, step])
        chosen = generator.integers(self._neighbors.shape[1], size=(len(numbers), self.neighbors_per_query))
        near = self._neighbors[np.searchsorted(self._mined, numbers)[:, None], chosen]
        documents = np.unique(np.concatenate([near.ravel(), self._random(self.n_documents, generator)]))
        return self._batch(numbers, documents)

    def _random(self, size: int, generator: np.random.Generator) -> NDArray[np.int64]:
        return np.sort(generator.choice(self.total, min(size, self.total), replace=False))

    def _batch(self, numbers: NDArray[np.int64], documents: NDArray[np.int64]) -> TextBatch:
        features = self.preprocess([self.texts[number] for number in numbers])
        return TextBatch(
            {name: value for name, value in features.items() if isinstance(value, Tensor)},
            torch.from_numpy(unit_rows(self.rows[numbers])),
            torch.from_numpy(unit_rows(self.rows[documents])),
            torch.from_numpy(numbers[:, None] == documents[None, :]),
        )


class _Numbered(torch.utils.data.Dataset[TextBatch]):
    """The batches of some steps."""

    def __init__(
        self, plan: Sequence[NDArray[np.int64]], first: int, batch: Callable[[NDArray[np.int64], int], TextBatch]
    ) -> None:
        self.plan, self.first, self.batch = plan, first, batch

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> TextBatch:
        return self.batch(self.plan[index], self.first + index)


def _index_of(documents: Rows) -> FaissIndex:
    n = len(documents)
    flat = n <= _EXACT
    index = FaissIndex("Flat") if flat else FaissIndex(f"IVF{2 ** round(np.log2(2 * n**0.5))},SQfp16", nprobe=8)
    index.build(documents)
    return index
