"""Train a head once."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projhead.reducers.given import Given
from projhead.training.recipe import Recipe, filled

if TYPE_CHECKING:
    import torch
    from torch import nn

    from projhead.codecs._fake_quantize import FakeQuantized


class Trained(NamedTuple):
    """A trained head, its numbers, how training ended, its validations, and its provenance."""

    head: nn.Module
    numbers: dict[str, Any]
    ending: str
    history: list[dict[str, float]]
    made_by: dict[str, Any]


def train_head(
    how: Any,
    given: Given,
    recipe: Recipe,
    start: NDArray[Any] | nn.Module,
    held_out: NDArray[np.int64],
    *,
    fake: FakeQuantized | None = None,
    resume: str | Path | None = None,
    alone: bool = False,
) -> Trained:
    """Train a head.

    Parameters
    ----------
    how : LearnedReducer
        Its arguments say what is trained and how.
    given : Given
    recipe : Recipe
        For all that the arguments leave open.
    start : ndarray of shape (k, d), or Module
        A linear map, or a head that is copied and trained further.
    held_out : ndarray of int
        Numbers of the rows that validate.
    fake : FakeQuantized, optional
        The codec that is trained through.
    resume : path, optional
        A checkpoint.
    alone : bool
        Without the callbacks, loggers and validations of the fit.
    """
    # Lightning and torch take seconds to import: who loads and applies a head does without.
    import torch
    from torch import nn

    from projhead.heads.residual_mlp import ResidualMLP
    from projhead.heads.rotation import Rotation
    from projhead.losses.neighbor_kl import NeighborKL
    from projhead.training.data import RowData
    from projhead.training.head_module import HeadModule
    from projhead.training.progress import History, StepProgress
    from projhead.training.trainer import ending, fit, made_by, make_trainer, take_best

    torch.manual_seed(how.random_state)
    n, d = given.rows.shape
    if isinstance(start, nn.Module):
        head: Any = copy.deepcopy(start).requires_grad_(True).train()
    else:
        make_head = filled(how.head or ResidualMLP, hidden_features=recipe.hidden_features)
        head = make_head(in_features=d, out_features=how.n_components)
        _expect_whole(head)
        head.initialize(torch.from_numpy(start).float())
    make_loss = filled(how.loss or NeighborKL, teacher_temperatures=recipe.teacher_temperatures, weights=recipe.weights)
    loss = copy.deepcopy(how.loss) if isinstance(how.loss, nn.Module) else make_loss()
    # Few queries for the documents (a corpus of single sentences gives few) say little about the whole.
    coverage = 0.0 if given.queries is None else min(len(given.queries) / n, 1.0)
    n_queries = round(coverage * recipe.n_queries)
    module = HeadModule(
        head,
        loss,
        filled(how.optimizer or default_optimizer, lr=recipe.lr),
        nested=[int(width) for width in how.nested],
        # A rotation has nothing but its turns, which all widths share: narrow ones would win at the cost of wide ones.
        nested_power=1.0 if isinstance(head, Rotation) else 0.5,
        codec=fake,
        raw_codes=how.raw_codes,
        distortion_weight=how.distortion_weight,
        query_weight=coverage,
        document_weight=1 - coverage * (1 - how.document_weight),
        label_margin=how.label_margin,
    )
    data = RowData(
        *given,
        held_out,
        n_queries=max(n_queries, 1),
        n_anchors=recipe.n_anchors + recipe.n_queries - n_queries,
        n_documents=recipe.n_documents,
        document_pool=recipe.document_pool if getattr(loss, "weighted", False) else 0,
        steps_per_epoch=how.steps_per_epoch or max(-(-recipe.max_steps // 12), 1),
        validation_rows=how.validation_rows,
        seed=how.random_state,
    )
    make = how.trainer and filled(how.trainer, max_steps=recipe.max_steps)
    history = History()
    stage = "tune" if fake else "judge" if alone else "train"
    watchers = [history, StepProgress(stage, stays=not alone)] if how.verbose else [history]
    callbacks, logger = (None, None) if alone else (how.callbacks, how.logger)
    divided = getattr(loss, "by_anchor", False)
    undivided = "" if divided else f"{type(loss).__name__} is no mean over anchors, of which each would take a part"
    trainer = make_trainer(
        make, callbacks, logger, recipe.max_steps, watchers, undivided=undivided, validates=not alone
    )
    fit(trainer, module, data, resume)
    numbers = {"steps": trainer.global_step, **take_best(trainer, module)}
    made = made_by(loss, trainer)
    return Trained(head.cpu().requires_grad_(False).eval(), numbers, ending(trainer), history.checks, made)


def _expect_whole(head: nn.Module) -> None:
    """Refuse a head that lacks what a fit, an artifact or an export asks of it, before any step."""
    asked = ("initialize", "blended", "prefix", "to_sequential")
    if lacks := [name for name in asked if not hasattr(head, name)]:
        raise ValueError(
            f"head: expected a module with {', '.join(asked)} (see projhead.heads), got {type(head).__name__} without "
            f"{', '.join(lacks)}"
        )


def default_optimizer(parameters: Any, lr: float | None = None) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019) without decay."""
    import torch

    return torch.optim.AdamW(parameters, lr=lr or 1e-3, weight_decay=0.0, fused=True)
