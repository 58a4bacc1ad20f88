"""Distill a smaller network from the teacher's stored vectors."""

from __future__ import annotations

import copy
import json
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import pytorch_lightning as pl
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Router
from sklearn.linear_model import Ridge
from torch import nn

from projhead.corpora.text_column import TextColumn
from projhead.encoders.load_model import no_weight_bars
from projhead.encoders.sentence_transformer import SentenceTransformerEncoder
from projhead.encoders.sides import prompt_of
from projhead.encoders.texts import clean_text
from projhead.persistence.folder import check_place, in_place
from projhead.persistence.record import Record
from projhead.persistence.registry import parameters_of, spec_of
from projhead.protocols import Encoder
from projhead.reducers.learned import LearnedReducer
from projhead.settings.ranges import Count, Seed, Weight
from projhead.training.network_module import NetworkModule
from projhead.training.samplers import Rows
from projhead.training.seeding import seeded
from projhead.training.text_data import TextData
from projhead.training.trainer import made_by, make_trainer, take_best
from projhead.vectors import Vectors, unit_rows
from projhead.vectors.lazy import JoinedRows

#: Texts whose tokens are counted at once.
_WINDOW = 1024
#: Texts that a new head is first fitted to, at most.
_START = 4096


#: Why one process alone distills.
_UNDIVIDED = "a student is distilled by one; train its head on several first, without student=..."


class Start(Protocol):
    """What a smaller student starts from.

    Attributes
    ----------
    aligned : bool
        Whether the network's rows are to be the teacher's, so that its head serves from the first step.
    """

    aligned: bool

    def __call__(self, teacher: Encoder, texts: Sequence[str]) -> SentenceTransformer:
        """Return the untrained student's encoder, a stock model in float32."""
        ...


class Texts(NamedTuple):
    """Texts to train on, and the teacher's vectors of them: documents, and query-like texts where there are any.

    Both may be many, and are read as they are needed.
    """

    documents: Sequence[str]
    rows: Rows
    queries: Sequence[str] = ()
    query_rows: Rows | None = None

    def texts(self) -> Sequence[str]:
        """Return all texts, documents first, as they are."""
        return _held(chain(self.documents, self.queries))

    def joined(self, model: SentenceTransformer) -> tuple[Sequence[str], Rows]:
        """Return all texts, documents first, behind the prompt of their side in `model`, and the rows (n, d).

        Raises
        ------
        ValueError
            If a prompt in front of a text is not all that makes the sides of `model` differ.
        """
        asked, found = prompt_of(model, "query"), prompt_of(model, "document")
        left_out = any(not getattr(module, "include_prompt", True) for module in model)
        if isinstance(model[0], Router) or ((asked or found) and left_out):
            raise ValueError(
                "student: expected one network for queries and documents, its prompts pooled with the texts, got a "
                "Router or a pooling that leaves prompts out; choose student=static, or another student.start"
            )
        rows = JoinedRows([self.rows, *([] if self.query_rows is None else [self.query_rows])])
        texts = chain((found + text for text in self.documents), (asked + text for text in self.queries))
        return _held(texts), cast("Rows", rows)


def _held(texts: Iterable[str]) -> TextColumn:
    return TextColumn(map(clean_text, texts))


class Distilled:
    """Train a small network, and the head behind it, on texts whose teacher vectors are known.

    Parameters
    ----------
    start : Start
        What the network is to begin with.
    loss : callable
        From nothing to a loss from `projhead.losses`.
    optimizer : callable
        From parameters to an optimizer.
    trainer : callable
        From keyword arguments to a ``pytorch_lightning.Trainer``.
    row_weight : float
        What the squared distance of the network's rows to the teacher's counts beside the loss, where the start is
        aligned.
    max_tokens : int, optional
        Tokens of a text that training reads; the network's limit, which the student keeps, where not given.
    token_budget, n_documents, neighbors_per_query, neighbor_pool, steps_per_epoch, validation_rows
        As in `TextData`.
    callbacks, logger : mapping of name to object, optional
        Lightning callbacks and loggers.
    random_state : int
        Seed of everything random.
    """

    def __init__(
        self,
        start: Start,
        *,
        loss: Callable[[], nn.Module],
        optimizer: Callable[..., torch.optim.Optimizer],
        trainer: Callable[..., pl.Trainer],
        row_weight: Weight,
        max_tokens: Count | None,
        token_budget: Count,
        n_documents: Count,
        neighbors_per_query: Count,
        neighbor_pool: Count,
        steps_per_epoch: Count,
        validation_rows: Count,
        callbacks: Mapping[str, pl.Callback] | None = None,
        logger: Mapping[str, Any] | None = None,
        random_state: Seed = 0,
    ) -> None:
        self.start, self.loss, self.optimizer, self.trainer = start, loss, optimizer, trainer
        self.row_weight, self.max_tokens, self.token_budget = row_weight, max_tokens, token_budget
        self.n_documents, self.neighbors_per_query, self.neighbor_pool = n_documents, neighbors_per_query, neighbor_pool
        self.steps_per_epoch, self.validation_rows = steps_per_epoch, validation_rows
        self.callbacks, self.logger, self.random_state = callbacks, logger, random_state

    def fit(
        self, teacher: Encoder, reducer: LearnedReducer, data: Texts, folder: Path, *, resume: Path | None = None
    ) -> tuple[SentenceTransformerEncoder, LearnedReducer]:
        """Train, write the encoder, and return it, as it is read again, with the reducer for its rows.

        Parameters
        ----------
        teacher : Encoder
        reducer : LearnedReducer
            One without a codec, fitted to the teacher's vectors: its reduced rows are to be learned.
        data : Texts
        folder : Path
            Where the encoder is written, a stock sentence-transformers folder.
        resume : Path, optional
            A Lightning checkpoint of an interrupted fit with the same settings and data.
        """
        check_place(folder, "encoder")
        with seeded(self.random_state):
            model = self.start(teacher, data.texts())
            texts, rows = data.joined(model)
            head = copy.deepcopy(reducer.head_) if self.start.aligned else _fitted_head(model, reducer, texts, rows)
            module = NetworkModule(
                model,
                head,
                copy.deepcopy(reducer.head_),
                self.loss(),
                self.optimizer,
                row_weight=self.row_weight if self.start.aligned else 0.0,
                nested=reducer.nested,
            )
            limit = model.max_seq_length
            if self.max_tokens is not None:
                model.max_seq_length = min(self.max_tokens, limit or self.max_tokens)
            batches = self._batches(model, texts, rows, len(data.documents))
            trainer = make_trainer(self.trainer, self.callbacks, self.logger, 0, undivided=_UNDIVIDED)
            trainer.fit(module, datamodule=batches, ckpt_path=resume, weights_only=True)
            training = {"steps": trainer.global_step, **take_best(trainer, module)}
            made = {"texts": len(texts), "seed": self.random_state, **made_by(module.losses[0], trainer)}
            if self.max_tokens is not None:
                model.max_seq_length = limit
        record = {
            "student": spec_of(self, brief=("callbacks", "logger")),
            "teacher": teacher.identity.record,
            "training": {**training, "texts": len(texts)},
            "provenance": made,
        }
        encoder = _written(model, folder, record)
        return encoder, reducer.with_head(head, encoder.identity, training, made)

    def _batches(self, model: SentenceTransformer, texts: Sequence[str], rows: Rows, n_documents: int) -> TextData:
        return TextData(
            texts,
            rows,
            n_documents,
            preprocess=model.preprocess,
            lengths=token_lengths(model, texts),
            token_budget=self.token_budget,
            n_documents=self.n_documents,
            neighbors_per_query=self.neighbors_per_query,
            neighbor_pool=self.neighbor_pool,
            steps_per_epoch=self.steps_per_epoch,
            validation_rows=self.validation_rows,
            seed=self.random_state,
        )


def token_lengths(model: SentenceTransformer, texts: Sequence[str]) -> Sequence[int]:
    """Count the tokens of each text that a model reads."""
    lengths = array("i")
    for start in range(0, len(texts), _WINDOW):
        features = model.preprocess(list(texts[start : start + _WINDOW]))
        if "attention_mask" in features:
            lengths.extend(features["attention_mask"].sum(1).tolist())
        else:  # a bag of tokens: where each begins
            lengths.extend(b - a for a, b in pairwise([*features["offsets"].tolist(), len(features["input_ids"])]))
    return lengths


def _fitted_head(model: SentenceTransformer, reducer: LearnedReducer, texts: Sequence[str], rows: Rows) -> nn.Module:
    """Return a head of the reducer's kind for rows of another network, begun by least squares to its reduced rows."""
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(_START, len(texts))).astype(int))
    own: Vectors = unit_rows(model.encode([texts[i] for i in chosen], prompt="", show_progress_bar=True))
    parameters = {**parameters_of(reducer.head_), "in_features": own.shape[1]}
    head: nn.Module = type(reducer.head_)(**parameters)
    map_ = Ridge(1.0, fit_intercept=False).fit(own, reducer.transform(rows[chosen]))
    head.initialize(torch.from_numpy(map_.coef_).float())  # type: ignore[operator]
    return head


def _written(model: SentenceTransformer, folder: Path, body: dict[str, Any]) -> SentenceTransformerEncoder:
    """Write the model and its record, whole or not at all, and read it back."""
    with in_place(folder, "encoder") as temporary, no_weight_bars():
        model.cpu().eval().save_pretrained(str(temporary), create_model_card=False)
        Record.of(temporary, "encoder", json.loads(json.dumps(body))).write(temporary)
    return SentenceTransformerEncoder(str(folder), local_files_only=True)
