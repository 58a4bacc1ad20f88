"""Texts with a tiny teacher's vectors, its head, and distillations of a moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.heads.residual_mlp import ResidualMLP
from projhead.losses.neighbor_kl import NeighborKL
from projhead.protocols import Encoder
from projhead.reducers.learned import LearnedReducer
from projhead.students.distill import Distilled, Start, Texts


@pytest.fixture(scope="session")
def data(teacher: SentenceTransformerEncoder, few_words: Callable[[int, int, int], list[str]]) -> Texts:
    """300 documents of up to 20 words, 200 queries of up to 4, and the teacher's vectors."""
    documents, queries = few_words(300, 3, 21), few_words(200, 2, 5)
    return Texts(documents, teacher.encode(documents), queries, teacher.encode(queries))


@pytest.fixture(scope="session")
def reducer(data: Texts) -> LearnedReducer:
    """The teacher's head, 32 to 8, whose first 4 serve alone too."""
    head = partial(ResidualMLP, hidden_features=16)
    return LearnedReducer(8, nested=[4], head=head, n_documents=64, max_steps=30, blend=1).fit(data.rows)


@pytest.fixture(scope="session")
def distilled() -> Callable[..., Distilled]:
    """Return what makes a distillation of a moment from a start."""

    def make(start: Start, *, steps: int = 40, rate: float = 3e-3, **changed: object) -> Distilled:
        settings = {
            "loss": NeighborKL,
            "optimizer": partial(torch.optim.AdamW, lr=rate, weight_decay=0.0),
            "trainer": partial(
                pl.Trainer, max_steps=steps, accelerator="cpu", devices=1, enable_progress_bar=False,
                enable_model_summary=False, enable_checkpointing="callbacks" in changed,
            ),
            "row_weight": 1.0, "max_tokens": 16, "token_budget": 512, "n_documents": 128,
            "neighbors_per_query": 4, "neighbor_pool": 8, "steps_per_epoch": 10, "validation_rows": 64,
        }  # fmt: skip
        return Distilled(start, **(settings | changed))

    return make


@pytest.fixture(scope="session")
def overlap(data: Texts) -> Callable[[Encoder, LearnedReducer], float]:
    """Return what counts how many of the teacher's 10 documents nearest to each query a student's reduced rows find."""

    def found(encoder: Encoder, fitted: LearnedReducer) -> float:
        queries, documents = (fitted.transform(encoder.encode(texts)) for texts in (data.queries, data.documents))
        pairs = ((queries, documents), (np.asarray(data.query_rows), data.rows))
        student, teacher = (np.argsort(-(q @ d.T), axis=1)[:, :10] for q, d in pairs)
        return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(student, teacher, strict=True)]))

    return found
