"""The learned head, as a scikit-learn estimator."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from projhead.codecs.base import BaseCodec
from projhead.heads.residual_mlp import ResidualMLP
from projhead.losses.neighbor_kl import NeighborKL
from projhead.reducers.artifact import Teacher
from projhead.reducers.base import Reducer
from projhead.reducers.pca import PCA
from projhead.training.codec_start import start_codec
from projhead.training.data import NeighborData
from projhead.training.head_module import HeadModule
from projhead.training.trainer import make_trainer, seeded, take_best


class LearnedReducer(Reducer):
    """A head trained to keep each row's neighbors, the trained alternative to PCA.

    The head starts at the uncentered PCA of `X` and is trained by distillation: rows of a step are compared with each
    other, mined neighbors among them, and the student's similarities follow the teacher's.

    Parameters
    ----------
    n_components : int, default=128
        Reduced width k.
    nested : sequence of int, default=()
        Smaller widths at which the first components are to serve alone: one fit, several widths (`prefix`).
    codec : BaseCodec, optional
        How documents will be stored: the head is trained through a copy of it, and the copy with the head, while
        queries stay float. A head of the teacher's width then costs nothing but keeps most.
    head : callable, optional
        From ``in_features`` and ``out_features`` to a head module; a `ResidualMLP` where not given.
    loss : Module, optional
        A loss from `projhead.losses`; `NeighborKL` where not given.
    optimizer : callable, optional
        From parameters to an optimizer; AdamW where not given.
    n_queries, n_anchors : int
        Queries and documents of a step that are compared with all of its documents; without queries there are
        as many more of the latter.
    n_documents : int
        Documents of a step.
    near : int
        Near documents that each query brings.
    group : int
        The other documents come in groups: one, and this many less one of those near it.
    depth : int
        Near documents are drawn from this many nearest.
    document_weight : float
        What the documents' similarities to each other count beside the queries' to them, where there is at least
        a query for every document; with fewer queries the documents count more.
    label_margin : float
        How far above all others the teacher's similarity of a query and its relevant document is put, where `fit` is
        given such pairs.
    raw_codes : bool
        Train for scores of what codes say as it stands, as FAISS computes them (`BaseCodec.to_faiss`); where not, for
        those of the codec, which gives it unit length.
    distortion_weight : float
        What the codec's squared error counts beside the loss.
    max_anchors : int
        Rows whose neighbors are mined, at most.
    max_steps : int
        Optimizer steps, where no `trainer` is given.
    steps_per_epoch : int
        Steps between validations.
    validation_rows : int
        Rows held out for validation, at most (and at most a twentieth).
    trainer : callable, optional
        From keyword arguments to a ``pytorch_lightning.Trainer``: how long, on which device, with which precision.
    callbacks, logger : mapping of name to object, optional
        Lightning callbacks and loggers. Where a ``ModelCheckpoint`` is among them its best weights are kept.
    random_state : int, default=0
        Seed of everything random.

    Attributes
    ----------
    head_ : Module
        The trained head.
    codec_ : BaseCodec or None
        The trained codec of reduced rows.
    training_ : dict
        Steps done and the last (or best) validation overlap.
    """

    kind = "learned"

    def __init__(
        self,
        n_components: int = 128,
        *,
        nested: Sequence[int] = (),
        codec: BaseCodec | None = None,
        raw_codes: bool = False,
        head: Callable[..., nn.Module] | None = None,
        loss: nn.Module | None = None,
        optimizer: Callable[..., torch.optim.Optimizer] | None = None,
        n_queries: int = 256,
        n_anchors: int = 256,
        n_documents: int = 1536,
        near: int = 6,
        group: int = 8,
        depth: int = 16,
        document_weight: float = 0.3,
        label_margin: float = 0.1,
        distortion_weight: float = 3.0,
        max_anchors: int = 200_000,
        max_steps: int = 400,
        steps_per_epoch: int = 25,
        validation_rows: int = 1024,
        trainer: Callable[..., pl.Trainer] | None = None,
        callbacks: Mapping[str, pl.Callback] | None = None,
        logger: Mapping[str, Any] | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_components = n_components
        self.nested = nested
        self.codec = codec
        self.raw_codes = raw_codes
        self.head = head
        self.loss = loss
        self.optimizer = optimizer
        self.n_queries = n_queries
        self.n_anchors = n_anchors
        self.n_documents = n_documents
        self.near = near
        self.group = group
        self.depth = depth
        self.document_weight = document_weight
        self.label_margin = label_margin
        self.distortion_weight = distortion_weight
        self.max_anchors = max_anchors
        self.max_steps = max_steps
        self.steps_per_epoch = steps_per_epoch
        self.validation_rows = validation_rows
        self.trainer = trainer
        self.callbacks = callbacks
        self.logger = logger
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        *,
        queries: ArrayLike | None = None,
        pairs: ArrayLike | None = None,
        resume: str | Path | None = None,
    ) -> Self:
        """Train on the teacher's vectors.

        Parameters
        ----------
        X : array-like of shape (n, d), float16, float32 or float64
            Documents; made unit length. May be memory-mapped: rows are read as they are needed.
        y : None
            Not used.
        queries : array-like of shape (q, d), optional
            The same teacher's vectors of query-like texts (real queries, titles, sentences of the documents):
            their order of the documents is what retrieval needs kept.
        pairs : array-like of shape (p, 2), int, optional
            Number of a query and number of a document that answers it: judgments, where there are any. Half of a
            step's queries are of those that have one.
        resume : path, optional
            A Lightning checkpoint of an interrupted fit with the same settings and data.

        Raises
        ------
        ValueError
            If shapes or widths do not fit or values are not finite.
        """
        rows = self._checked(X, reset=True)
        if any(not 1 <= width < self.n_components for width in self.nested):
            raise ValueError(f"nested: expected widths from 1 to {self.n_components - 1}, got {list(self.nested)}")
        if self.nested and self.codec is not None:
            raise ValueError(f"nested: expected none with a codec, got {list(self.nested)}; train each width by itself")
        if queries is not None:
            queries = self._checked(queries, reset=False)
        judged = _checked_pairs(pairs, 0 if queries is None else len(queries), len(rows))
        n, d = rows.shape
        with seeded(self.random_state):
            make_head = self.head or ResidualMLP
            head = make_head(in_features=d, out_features=self.n_components)
            start = PCA(min(self.n_components, n), center=False).fit(rows).components_
            # Fewer rows than components: the directions that no row has stay zero.
            weight = np.zeros((self.n_components, d))
            weight[: len(start)] = start
            codec, weight = (None, weight) if self.codec is None else start_codec(self.codec, rows, weight)
            head.initialize(torch.from_numpy(weight).float())  # type: ignore[operator]
            fake_quantized = None if codec is None else codec.fake_quantized()
            # Few queries for the documents (a corpus of single sentences gives few) say little about the whole.
            coverage = 0.0 if queries is None else min(len(queries) / n, 1.0)
            n_queries = round(coverage * self.n_queries)
            module = HeadModule(
                head,
                self.loss or NeighborKL(),
                self.optimizer or default_optimizer,
                nested=self.nested,
                codec=fake_quantized,
                raw_codes=self.raw_codes,
                distortion_weight=self.distortion_weight,
                query_weight=coverage,
                document_weight=1 - coverage * (1 - self.document_weight),
                label_margin=self.label_margin,
            )
            data = NeighborData(
                rows,
                queries,
                judged,
                n_queries=max(n_queries, 1),
                n_anchors=self.n_anchors + self.n_queries - n_queries,
                n_documents=self.n_documents,
                near=self.near,
                group=self.group,
                depth=self.depth,
                max_anchors=self.max_anchors,
                steps_per_epoch=self.steps_per_epoch,
                validation_rows=self.validation_rows,
                seed=self.random_state,
            )
            trainer = make_trainer(self.trainer, self.callbacks, self.logger, self.max_steps)
            trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
        self.head_ = head.cpu().requires_grad_(False).eval()
        self._training = {"steps": trainer.global_step, **take_best(trainer, module)}
        self.codec_ = None if codec is None or fake_quantized is None else codec.load_trained(fake_quantized)
        return self

    def prefix(self, n_components: int) -> Self:
        """Return this fitted reducer with its first components only, where it was trained for that width.

        Raises
        ------
        ValueError
            If it was not.
        """
        if n_components not in (self.n_components, *self.nested):
            raise ValueError(
                f"n_components: expected {self.n_components} or one of nested = {list(self.nested)}, the widths it "
                f"was trained for, got {n_components}; train again with nested=[{n_components}]"
            )
        shorter = super().prefix(n_components)
        shorter.nested = [width for width in self.nested if width < n_components]
        return shorter

    def with_head(self, head: nn.Module, teacher: Teacher, training: dict[str, Any]) -> Self:
        """Return this reducer with another trained head, of the same width, for the rows of another encoder."""
        other = copy.copy(self)
        other.head_ = head.cpu().requires_grad_(False).eval()
        other.n_features_in_ = int(head.in_features)  # type: ignore[arg-type]
        other.teacher_, other._training = teacher, training
        return other


def _checked_pairs(pairs: ArrayLike | None, q: int, n: int) -> NDArray[np.int64]:
    """Return pairs (p, 2) of a query's and a document's number."""
    if pairs is None:
        return np.empty((0, 2), np.int64)
    given = np.asarray(pairs)
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise ValueError(
            f"pairs: expected whole numbers (p, 2), of a query and of a document that answers it, got "
            f"shape {given.shape} of {given.dtype}"
        )
    if (given < 0).any() or (given >= [q, n]).any():
        raise ValueError(f"pairs: expected numbers of {q} queries and {n} documents, got some outside")
    return given.astype(np.int64)


def default_optimizer(parameters: Any) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019) at the best known settings."""
    return torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.0, fused=True)
